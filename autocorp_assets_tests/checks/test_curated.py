from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.changed_rows import changed_rows
from autocorp_assets.checks.curated import check_specs, check_table
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.snapshots import Snapshot
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.checks.conftest import frame, shown_rows
from spark_jobs.checkpoint import AppliedDelivery, Checkpoint

CUSTOMERS = TABLES["customers"]
NEVER = LakeQuery("/nowhere")
"""Tables in a folder are read here, whatever their size."""
ALL = frozenset(spec.key for spec in check_specs(CUSTOMERS))


def snapshot(*files: str, checkpoint: Checkpoint | None = None, columns: dict[str, str] | None = None) -> Snapshot:
    return Snapshot(
        table="customers",
        commit="1",
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
        checkpoint=checkpoint or Checkpoint(),
        files=files,
        file_sizes=(0,) * len(files),
        columns=columns or {},
    )


def test_only_rows_that_the_run_changed_are_read(tmp_path, customers):
    file = tmp_path / "part.parquet"
    customers({"raw_file": "new"}, {"raw_file": "old", "record_key": "db:2"}).write_parquet(file)

    rows = changed_rows(snapshot(str(file)), ["new"], CUSTOMERS, query=NEVER)

    assert rows["raw_file"].to_list() == ["new"]


def test_files_written_before_a_column_was_added_can_be_read_with_later_ones(tmp_path, customers):
    rows = customers({"raw_file": "new"})
    rows.drop("phone").write_parquet(tmp_path / "1.parquet")
    rows.write_parquet(tmp_path / "2.parquet")

    found = changed_rows(
        snapshot(str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")), ["new"], CUSTOMERS, query=NEVER
    )

    assert found.height == 2


def test_a_refused_delivery_fails_with_its_name_and_remedy():
    refused = AppliedDelivery(etag="e", size=1, day="20260101", ordinal=1, refused="not UTF-8: export it as UTF-8")
    state = snapshot(checkpoint=Checkpoint(deliveries={"customers-20260101.csv": refused}))

    results = {
        result.check_name: result
        for result in check_table(CUSTOMERS, snapshot=state, files=(), selected=ALL, query=NEVER)
    }

    assert not results["files_accepted"].passed
    assert results["files_accepted"].description == "customers-20260101.csv: not UTF-8: export it as UTF-8"
    assert shown_rows(results["files_accepted"].metadata["refused"]) == [
        {"file": "customers-20260101.csv", "reason": "not UTF-8: export it as UTF-8"}
    ]


def test_a_column_that_the_contract_does_not_name_is_a_warning_until_it_does():
    state = snapshot(columns={column.name: column.type for column in CUSTOMERS.lake_columns} | {"loyalty": "int"})
    selected = frozenset({dg.AssetCheckKey(curated_key("customers"), "columns_in_contract")})

    (result,) = check_table(CUSTOMERS, snapshot=state, files=(), selected=selected, query=NEVER)

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "does not name loyalty (int)" in (result.description or "")


def test_a_run_without_files_says_nothing_of_rows_so_that_older_findings_stay():
    results = [
        result.check_name for result in check_table(CUSTOMERS, snapshot=snapshot(), files=(), selected=ALL, query=NEVER)
    ]

    assert results == ["columns_in_contract", "file_sizes", "files_accepted"]


def test_rows_that_vanished_on_the_way_are_found_by_file():
    files = [
        {"file": "a", "read": 3, "applied": 1, "unchanged": 1, "quarantined": 1},
        {"file": "b", "read": 3, "applied": 2},
    ]

    results = {
        r.check_name: r for r in check_table(CUSTOMERS, snapshot=snapshot(), files=files, selected=ALL, query=NEVER)
    }

    assert not results["rows_accounted"].passed
    assert [row["file"] for row in shown_rows(results["rows_accounted"].metadata["files"])] == ["b"]


def test_checks_that_the_run_does_not_ask_for_are_not_evaluated():
    assert list(check_table(CUSTOMERS, snapshot=snapshot(), files=(), selected=frozenset(), query=NEVER)) == []


def test_only_tables_with_a_feed_can_have_refused_files():
    names = {spec.name for spec in check_specs(TABLES["service"])}

    assert names == {"rules", "rows_accounted", "columns_in_contract", "file_sizes"}
    assert all(spec.description and spec.asset_key == curated_key("service") for spec in check_specs(TABLES["service"]))


def test_a_frame_of_every_table_can_be_read_as_a_snapshot(tmp_path):
    for contract in TABLES.values():
        file = tmp_path / f"{contract.name}.parquet"
        frame(contract).write_parquet(file)
        assert changed_rows(snapshot(str(file)), ["x"], contract, query=NEVER).height == 0
