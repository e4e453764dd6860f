"""How a comparison is told: what fails, what warns, what is no failure, and what to do."""

from collections import Counter
from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.automation.conditions import curated_condition, scheduled_check
from autocorp_assets.checks.reconciliation import RECONCILIATION, check_result
from autocorp_assets.contracts import TABLES
from autocorp_assets.definitions import defs
from autocorp_assets.reconciliation.findings import Finding, TableReconciliation, Verdict
from autocorp_assets_tests.checks.conftest import shown_rows

RAW = dg.AssetKey("raw")


def found(*findings: Finding) -> TableReconciliation:
    result = TableReconciliation(table="customers", commit="7", source_rows=1149, lake_rows=1148)
    for finding in findings:
        result.add(finding)
    return result


def test_equal_tables_pass_and_say_so():
    result = check_result(found())

    assert result.passed
    assert result.description == "1,149 rows of the source, 1,148 of the lake: all equal"


def test_a_difference_is_an_error_that_names_the_key_the_columns_and_the_remedy():
    result = check_result(
        found(
            Finding(key=5, verdict=Verdict.WAITING, detail="raw/x.parquet"),
            Finding(key=7, verdict=Verdict.CHANGED, detail="email"),
        )
    )

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.description == "1,149 rows of the source, 1,148 of the lake: 1 changed, 1 waiting"
    assert shown_rows(result.metadata["sample"]) == [
        {
            "key": 7,
            "what": "changed",
            "detail": "email",
            "what to do": "`autocorp reload customers` mends it from the source",
        },
        {
            "key": 5,
            "what": "waiting",
            "detail": "raw/x.parquet",
            "what to do": "nothing: the next run of curation applies the file",
        },
    ]


def test_what_is_explained_is_no_failure_and_what_could_not_be_told_only_warns():
    explained = [Finding(key=1, verdict=Verdict.WAITING), Finding(key=2, verdict=Verdict.QUARANTINED)]
    untold = Finding(key=3, verdict=Verdict.UNSETTLED, detail="the replicator does not run")

    assert check_result(found(*explained)).passed
    result = check_result(found(*explained, untold))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_result_of_many_differences_is_small():
    result = found(*(Finding(key=key, verdict=Verdict.MISSING) for key in range(5_000)))

    assert result.counts == Counter({Verdict.MISSING: 5_000})
    assert len(result.sample) == 20


def test_no_run_of_a_table_takes_its_comparison_along():
    graph = defs.resolve_asset_graph()
    ours = [key for key in graph.asset_check_keys if key.name == RECONCILIATION]

    assert len(ours) == len(TABLES)
    assert all(graph.get(key).automation_condition is not None for key in ours)


def test_a_scheduled_check_runs_once_its_table_is_there_then_at_its_times_and_not_on_news():
    @dg.asset(deps=[RAW], automation_condition=curated_condition([RAW]))
    def table() -> None: ...

    @dg.asset_check(asset=table, automation_condition=scheduled_check("17 * * * *"))
    def whole_table() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    platform = dg.Definitions(assets=[dg.AssetSpec(RAW), table], asset_checks=[whole_table])
    instance = dg.DagsterInstance.ephemeral()
    cursor = None

    def requested(minute: int) -> tuple[int, int]:
        nonlocal cursor
        evaluated = dg.evaluate_automation_conditions(
            platform, instance=instance, cursor=cursor, evaluation_time=datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
        )
        cursor = evaluated.cursor
        tables = evaluated.get_num_requested(table.key)
        return tables, evaluated.total_requested - tables

    assert requested(8) == (1, 0)  # no table yet
    instance.report_runless_asset_event(dg.AssetMaterialization(table.key))
    assert requested(9) == (0, 1)
    assert requested(10) == (0, 0)  # nothing has come of it: it is not asked for at each tick
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW))
    assert requested(11) == (1, 0)  # news are no reason
    assert requested(18) == (0, 1)
