"""What a failing result of every check is like: counts, a bounded sample, and nothing about a person.

Each check fails here over more than it may list, on rows full of a secret. A new check without an entry fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl
import pytest

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.automation.completeness import read_record
from autocorp_assets.automation.up_to_date import Moment, verdict
from autocorp_assets.checks import curated, raw
from autocorp_assets.checks.accounting import judge_accounting
from autocorp_assets.checks.catalog import catalog_checks
from autocorp_assets.checks.changed_rows import changed_rows
from autocorp_assets.checks.file_sizes import LARGE_BYTES
from autocorp_assets.checks.full_reconciliation import both
from autocorp_assets.checks.lag import judge_lag
from autocorp_assets.checks.order_arithmetic import judge_line_sums
from autocorp_assets.checks.reconciliation import check_result
from autocorp_assets.checks.references import judge_references
from autocorp_assets.checks.unique_keys import judge_unique_keys
from autocorp_assets.checks.whole_table_rules import judge_all_rows
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.model import LakeFormat, SumsLines
from autocorp_assets.definitions import defs
from autocorp_assets.lake.accounting import TableAccounting
from autocorp_assets.lake.snapshots import Snapshot, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.table_files import TableFile
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.reconciliation.findings import ExportReconciliation, Finding, TableReconciliation, Verdict
from autocorp_assets.resources.ports.catalog import CatalogTable
from autocorp_assets.resources.ports.replication import ReplicationState
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint
from spark_jobs.plan import FileKind

MANY = 150
MOST_ROWS = 3 * 20
"""Of a sample: twenty of each kind of finding."""
SECRET = "Lovelace"
LATER = datetime.now(UTC) + timedelta(hours=1)
Result = dg.AssetCheckResult


@pytest.fixture(autouse=True)
def as_delta() -> Iterator[None]:
    """Tables that need no JVM."""
    with patch.dict(TABLES, {name: replace(one, format=LakeFormat.DELTA) for name, one in TABLES.items()}):
        yield


def person(number: int, **values: Any) -> dict[str, Any]:
    names = ("first_name", "last_name", "email", "phone", "address", "city", "zip_code")
    lineage = {"record_key": f"db:{number}", "source_system": "db", "change_seq": f"{number:06d}", "raw_file": "new"}
    return {"customer_id": number, **dict.fromkeys(names, SECRET), **lineage, **values}


def order(number: int, **values: Any) -> dict[str, Any]:
    lineage = {"record_key": f"db:{number}", "source_system": "db", "change_seq": f"{number:06d}", "raw_file": "new"}
    return {"order_id": number, "customer_id": 404, "subtotal": Decimal(1), "notes": SECRET, **lineage, **values}


def people(root: Path, count: int = MANY) -> Snapshot:
    LedgerWriter(root, "customers").commit(Checkpoint(revision=1), [person(number) for number in range(count)])
    snapshot = read_snapshot(root, TABLES["customers"])
    assert snapshot
    return snapshot


def of_raw(root: Path, name: str, *, ignored: Mapping[str, str] | None = None) -> Result:
    """Of a raw table with unknown columns and bad rows, or of a feed."""
    lake, contract = LakeStorage(root), TABLES["customers"]
    if ignored is not None:
        specs = {spec.name: spec.key for spec in raw.raw_feed_check_specs(FEEDS["customers"])}
        found = raw.check_raw_feed(
            lake, FEEDS["customers"], contract, ignored=ignored, selected=frozenset({specs[name]})
        )
    else:
        rows = [{key: value for key, value in person(n).items() if key in contract.column_by_name} for n in range(MANY)]
        RawZone(root).load("customers", rows)
        file = next((root / "raw/database/customers").glob("*.parquet"))
        unknown = [pl.lit(SECRET).alias(f"unknown_{n}") for n in range(MANY)]
        pl.read_parquet(file).with_columns(unknown).write_parquet(file)
        specs = {spec.name: spec.key for spec in raw.raw_check_specs(contract)}
        found = raw.check_raw_table(lake, contract, selected=frozenset({specs[name]}))
    (result,) = found
    return result


def of_run(name: str, snapshot: Snapshot, files: curated.Files = ()) -> Result:
    selected = frozenset({dg.AssetCheckKey(curated_key("customers"), name)})
    (result,) = curated.check_table(
        TABLES["customers"], snapshot=snapshot, files=files, selected=selected, query=LakeQuery("/nowhere")
    )
    return result


def refused(root: Path) -> Result:
    one = AppliedDelivery(etag="e", size=1, day="20260101", ordinal=1, refused="not UTF-8")
    deliveries = {f"customers-{number}.csv": one for number in range(MANY)}
    return of_run(curated.FILES_ACCEPTED, replace(people(root), checkpoint=Checkpoint(deliveries=deliveries)))


def giants(root: Path) -> Result:
    sizes = {f"t/{number}.parquet": LARGE_BYTES + 1 for number in range(MANY)}
    return of_run(curated.FILE_SIZES, replace(people(root), files=tuple(sizes), file_sizes=tuple(sizes.values())))


def unnamed(root: Path) -> Result:
    return of_run(curated.COLUMNS_NAMED, replace(people(root), columns={f"c{n}": "int" for n in range(MANY)}))


def lost_rows(root: Path) -> Result:
    return of_run(
        curated.ACCOUNTING, people(root), [{"file": f"raw/{n}", "read": 2, "applied": 1} for n in range(MANY)]
    )


def unaccounted(_: Path) -> Result:
    files = tuple(TableFile(path=f"raw/{number}", kind=FileKind.CHANGE, day="20260101") for number in range(MANY))
    contract = TABLES["customers"]
    return judge_accounting(
        TableAccounting(contract=contract, files=files, pending=frozenset(), generation=1, accounts=())
    )


def orphans(root: Path) -> Result:
    LedgerWriter(root, "sales_order").commit(Checkpoint(revision=1), [order(number) for number in range(MANY)])
    return judge_references(LakeStorage(root), TABLES["sales_order"], now=LATER, quiet_minutes=5)


def wrong_sums(root: Path) -> Result:
    LedgerWriter(root, "sales_order").commit(Checkpoint(revision=1), [order(number) for number in range(MANY)])
    contract = TABLES["sales_order"]
    (rule,) = [rule for rule in contract.rules if isinstance(rule, SumsLines)]
    return judge_line_sums(LakeStorage(root), contract, rule, now=LATER, quiet_minutes=15)


def doubled(root: Path) -> Result:
    people(root)
    people(root)
    return judge_unique_keys(LakeStorage(root), TABLES["customers"])


def behind(_: Path) -> Result:
    state = ReplicationState(running=False, should_run=True, summary="failed; no disk")
    return judge_lag(TABLES["customers"], state, arrived=None, now=LATER)


def late(_: Path) -> Result:
    instance, contract = dg.DagsterInstance.ephemeral(), TABLES["customers"]
    instance.report_runless_asset_event(dg.AssetMaterialization(curated_key(contract.name)))
    state = ReplicationState(running=False, should_run=True, summary="failed; no disk")
    moment = Moment(now=LATER, state=state, looked_at=None, ui_url="http://ui.example")
    record = read_record(instance, contract)
    assert record
    return verdict(instance, contract.name, moment.standing(contract, record), record, moment)


class OddCatalog:
    """It has columns that nothing else has."""

    def describe(self, tables: list[str]) -> dict[str, CatalogTable]:
        return dict.fromkeys(tables, CatalogTable(columns={f"c{n}": "int" for n in range(MANY)}, remedy="mend it"))


def strange_catalogue(root: Path) -> Result:
    people(root)
    checks = catalog_checks({"customers": TABLES["customers"]})
    job = dg.Definitions(
        assets=[dg.AssetSpec(curated_key("customers"))],
        asset_checks=[checks],
        jobs=[dg.define_asset_job("check", selection=dg.AssetSelection.checks(checks))],
        resources={"lake": LakeStorage(root), "catalog": OddCatalog()},
    ).resolve_job_def("check")
    (found,) = job.execute_in_process().get_asset_check_evaluations()
    return Result(passed=found.passed, severity=found.severity, description=found.description, metadata=found.metadata)


def different(_: Path) -> Result:
    found = TableReconciliation(table="customers")
    for number in range(MANY):
        found.add(Finding(key=number, verdict=Verdict.CHANGED, detail="email, phone"))
    return check_result(found)


def lost_exports(root: Path) -> Result:
    found = ExportReconciliation(table="customers", feed="customers")
    for number in range(MANY):
        found.add(Finding(key=f"csv:{number}", verdict=Verdict.MISSING, detail=f"customers.csv, row {number}"))
    return both(different(root), found)


FAILING: Mapping[str, Callable[[Path], Result]] = {
    "raw:schema": lambda root: of_raw(root, raw.SCHEMA),
    "raw:rules": lambda root: of_raw(root, raw.RULES),
    "raw:files_accepted": lambda root: of_raw(
        root, raw.FILES_ACCEPTED, ignored={f"f{number}.csv": "rename it" for number in range(MANY)}
    ),
    "raw:lag": behind,
    "curated:up_to_date": late,
    "curated:rules": lambda root: of_run(curated.RULES, people(root), [{"file": "new"}]),
    "curated:rows_accounted": lost_rows,
    "curated:columns_in_contract": unnamed,
    "curated:file_sizes": giants,
    "curated:files_accepted": refused,
    "curated:files_accounted": unaccounted,
    "curated:whole_table_rules": lambda root: judge_all_rows(TABLES["customers"], people(root)),
    "curated:references": orphans,
    "curated:unique_keys": doubled,
    "curated:order_arithmetic": wrong_sums,
    "curated:catalog": strange_catalogue,
    "curated:reconciliation": different,
    "curated:full_reconciliation": lost_exports,
}
WITHOUT_SAMPLE = {"raw:lag", "curated:up_to_date"}
"""There is nothing to list."""


def tables(result: Result) -> list[list[dict[str, Any]]]:
    found = [value for value in result.metadata.values() if isinstance(value, dg.TableMetadataValue)]
    return [[dict(record.data) for record in value.records] for value in found]


def test_every_check_is_made_to_fail_here():
    keys = defs.resolve_asset_graph().asset_check_keys

    assert {f"{key.asset_key.path[0]}:{key.name}" for key in keys} == FAILING.keys()


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_result_has_counts_and_a_bounded_sample_without_personal_data(name, tmp_path):
    result = FAILING[name](tmp_path)

    assert not result.passed
    assert result.severity in dg.AssetCheckSeverity
    assert 0 < len(str(result.description)) < 2_000
    assert [value for value in result.metadata.values() if isinstance(value, dg.IntMetadataValue) and value.value]
    samples = tables(result)
    assert bool(samples) != (name in WITHOUT_SAMPLE)
    assert all(0 < len(rows) <= MOST_ROWS for rows in samples)
    personal = {column.name for table in TABLES.values() for column in table.columns if column.personal}
    assert not personal & {column for rows in samples for row in rows for column in row}
    said = json.dumps([result.description, samples], default=str)
    assert SECRET not in said


def test_the_secret_is_in_the_rows_that_are_judged(tmp_path):
    rows = changed_rows(people(tmp_path), ["new"], TABLES["customers"], query=LakeQuery("/nowhere"))

    assert set(rows["email"]) == {SECRET}
