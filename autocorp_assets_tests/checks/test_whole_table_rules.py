"""Rows that break a rule stay in sight, whichever run brought them, and no version of a table is read twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import dagster as dg

from autocorp_assets.checks import whole_table_rules
from autocorp_assets.checks.whole_table_rules import WHOLE_TABLE_RULES, judge_all_rows, whole_table_rule_checks
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.lake.versions import Snapshot
from autocorp_assets_tests.checks.conftest import shown_rows
from spark_jobs.checkpoint import Checkpoint

ORDERS = TABLES["sales_order"]


def version(folder: Path, *frames, commit: str = "1") -> Snapshot:
    files = []
    for number, frame in enumerate(frames):
        frame.write_parquet(path := folder / f"{commit}-{number}.parquet")
        files.append(str(path))
    return Snapshot(
        table=ORDERS.name,
        commit=commit,
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
        checkpoint=Checkpoint(),
        files=tuple(files),
        file_sizes=(0,) * len(files),
        columns={},
    )


def order(number: int, **broken) -> dict:
    return {"order_id": number, "record_key": f"db:{number}", "invoice_number": f"INV-2024-{number}", **broken}


def test_every_row_is_judged_whatever_file_and_batch_it_is_in(tmp_path, orders):
    first = orders(*(order(number) for number in range(5)), order(5, payment_method="Shells"))
    second = orders(order(6, customer_id=None), *(order(number) for number in range(7, 10)))

    with patch.object(whole_table_rules, "BATCH_ROWS", 4):
        result = judge_all_rows(ORDERS, version(tmp_path, first, second))

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["rows_checked"].value == 10
    assert {(row["rule"], row["record_key"]) for row in shown_rows(result.metadata["sample"])} == {
        ("payment_method: known value", "db:5"),
        ("customer_id: required", "db:6"),
    }


def test_values_that_repeat_are_left_to_the_check_of_keys(tmp_path, orders):
    assert judge_all_rows(ORDERS, version(tmp_path, orders(order(1), order(1)))).passed


def test_a_table_that_does_not_exist_or_is_empty_breaks_no_rule(tmp_path):
    for nothing in (None, version(tmp_path)):
        result = judge_all_rows(ORDERS, nothing)
        assert (result.passed, result.metadata["rows_checked"].value) == (True, 0)


def test_a_version_is_read_once_and_its_result_told_again(tmp_path, orders):
    checks = whole_table_rule_checks({"sales_order": ORDERS})
    job = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(*checks))
    defs = dg.Definitions(
        assets=[dg.AssetSpec(key) for key in {key.asset_key for key in checks[0].check_keys}],
        asset_checks=checks,
        jobs=[job],
        resources={"lake": LakeStorage(tmp_path)},
    )
    instance = dg.DagsterInstance.ephemeral()
    broken = version(tmp_path, orders(order(5, payment_method="Shells")), commit="1")
    mended = version(tmp_path, orders(order(5)), commit="2")

    def result_of(snapshot: Snapshot) -> dg.AssetCheckEvaluation:
        with patch("autocorp_assets.lake.snapshots.read_snapshot", lambda *_: snapshot):
            run = defs.resolve_job_def("alone").execute_in_process(instance=instance)
        [evaluation] = run.get_asset_check_evaluations()
        assert evaluation.check_name == WHOLE_TABLE_RULES
        return evaluation

    first = result_of(broken)
    Path(broken.files[0]).unlink()
    again = result_of(broken)

    assert not first.passed
    assert (again.passed, again.description, again.metadata) == (first.passed, first.description, first.metadata)
    assert result_of(mended).passed
