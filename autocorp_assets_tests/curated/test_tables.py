import asyncio

import dagster as dg
import pytest
from dagster._core.loader import LoadingContextForTest

from autocorp_assets.asset_keys import curated_key, raw_table_key
from autocorp_assets.checks.results import last_evaluations
from autocorp_assets.contracts import TABLES
from autocorp_assets.record_tables import records_table
from autocorp_assets.resources.ports.catalog import CatalogError, CatalogTable
from autocorp_assets.resources.ports.replication import ReplicationState
from autocorp_assets.resources.spark_job import tail
from autocorp_assets_tests.curated.conftest import PARTS, Platform, load
from autocorp_assets_tests.spark_jobs.raw_zone import RawZone

SERVICES = [{"serviceid": "S-1", "service": "Oil change", "category": "Fluids & Filters", "labor_minutes": 30}]


def materialised(result) -> dict[str, dict]:
    return {
        event.asset_key.path[-1]: {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def data_version(result) -> str:
    [event] = result.get_asset_materialization_events()
    return event.step_materialization_data.materialization.tags["dagster/data_version"]


def checks(result) -> dict[tuple[str, str], bool]:
    return {(e.asset_key.path[-1], e.check_name): e.passed for e in result.get_asset_check_evaluations()}


def failure(result) -> str:
    [event] = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_pending_tables_are_curated_and_checked(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)

    result = platform.curate("auto_parts")

    assert result.success
    parts = materialised(result)["auto_parts"]
    assert parts["rows_applied"] == 2
    assert parts["path"].endswith("curated/delta/auto_parts")
    assert checks(result) == {
        ("auto_parts", name): True for name in ("rules", "rows_accounted", "columns_in_contract", "file_sizes")
    }


def test_nothing_pending_reports_the_same_data_version_without_a_job(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    first = platform.curate("auto_parts")
    platform.behaviour = {"auto_parts": "die"}

    again = platform.curate("auto_parts")

    assert again.success
    assert materialised(again)["auto_parts"]["rows_applied"] == 0
    assert data_version(first) == data_version(again) == "0"


DOWN = ReplicationState(running=False, should_run=True, summary="failed; no disk")
HANGING = ReplicationState(running=True, should_run=True, summary="streaming", silent_seconds=700, is_following=True)
OVER = ReplicationState(running=False, should_run=False, summary="stopped")
"""As after the pass of `autocorp sync`."""


@pytest.mark.parametrize("state", [DOWN, HANGING, OVER])
def test_a_table_without_news_is_not_called_fresh_while_nobody_knows_that_raw_has_all(platform: Platform, state):
    """As when an export arrives while replication is down, and the run finds the other tables unchanged."""
    load(platform.lake, TABLES["auto_parts"], PARTS)
    first = platform.curate("auto_parts")
    platform.replicates = state

    again = platform.curate("auto_parts")

    assert again.success
    assert materialised(again) == {}
    assert checks(again) == checks(first), "what is known of its rows stays in sight"
    [looked] = platform.instance.fetch_observations(curated_key("auto_parts"), limit=5).records
    assert looked.asset_observation is not None
    assert looked.asset_observation.description is not None
    assert state.summary in looked.asset_observation.description


def test_after_a_pass_of_sync_an_unchanged_table_is_fresh(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    platform.replicates = OVER
    platform.instance.report_runless_asset_event(dg.AssetMaterialization(raw_table_key("auto_parts")))

    assert materialised(platform.curate("auto_parts"))["auto_parts"]["rows_applied"] == 0


def test_a_table_that_has_news_is_curated_whatever_replication_does(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.replicates = DOWN

    assert materialised(platform.curate("auto_parts"))["auto_parts"]["rows_applied"] == 2


def test_a_table_without_raw_files_is_neither_an_error_nor_materialised(platform: Platform):
    result = platform.curate("auto_parts")

    assert result.success
    assert materialised(result) == {}


def test_a_table_without_raw_files_fails_no_run_in_which_another_has_work(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)

    result = platform.curate("auto_parts", "service_parts")

    assert result.success
    assert set(materialised(result)) == {"auto_parts"}


def test_a_bad_table_does_not_hold_back_a_good_one_and_is_named_with_file_and_cause(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    load(platform.lake, TABLES["service"], SERVICES)
    platform.behaviour = {"auto_parts": "bad"}

    result = platform.curate("auto_parts", "service")

    assert not result.success
    assert list(materialised(result)) == ["service"]
    assert "auto_parts: column price is text (file raw/database/auto_parts/LOAD00000001.parquet)" in failure(result)
    assert "run again" in failure(result)


def test_a_receipt_that_cannot_be_read_stops_its_table_only_and_is_named(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    RawZone(platform.lake).csv("customers", "20240101", "email\n")
    receipt = platform.lake / "raw/csv/_receipts/customers/customers-20240101.csv.json"
    receipt.write_text("{half")

    result = platform.curate("auto_parts", "customers")

    assert set(materialised(result)) == {"auto_parts"}
    assert "1 of 2 tables were not curated; the others are up to date" in failure(result)
    assert "customers-20240101.csv.json" in failure(result)


def test_a_table_of_which_the_job_says_nothing_has_failed(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.behaviour = {"auto_parts": "silent"}

    result = platform.curate("auto_parts")

    assert not result.success
    assert "without a word" in failure(result)


def test_a_job_that_dies_keeps_what_it_committed_and_shows_the_end_of_its_log(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    load(platform.lake, TABLES["service"], SERVICES)
    platform.behaviour = {"service": "die"}

    result = platform.curate("auto_parts", "service")

    assert not result.success
    assert "auto_parts" in materialised(result)
    assert "service: the Spark process was killed by SIGKILL" in failure(result)
    assert "OutOfMemoryError" in failure(result)


def test_a_killed_job_is_tried_once_more(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.behaviour = {"auto_parts": "die_once"}

    result = platform.curate("auto_parts")

    assert result.success
    assert materialised(result)["auto_parts"]["rows_applied"] == 2
    assert len(list(platform.logs.glob("curate-*.log"))) == 2


def test_rows_that_break_a_rule_fail_the_check_and_not_the_table(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.behaviour = {"auto_parts": "broken_row"}

    result = platform.curate("auto_parts")

    assert "auto_parts" in materialised(result)
    assert checks(result)[("auto_parts", "rules")] is False


def test_a_finding_stays_in_sight_until_the_table_changes_again(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.behaviour = {"auto_parts": "broken_row"}
    first = platform.curate("auto_parts")

    idle = platform.curate("auto_parts")

    assert checks(idle) == checks(first)
    assert checks(idle)[("auto_parts", "rules")] is False


def test_what_an_hourly_check_has_found_stays_in_sight_after_the_next_change(platform: Platform):
    [found, other] = platform.checks_apart = [
        dg.AssetCheckKey(curated_key("auto_parts"), name) for name in ("reconciliation", "unique_keys")
    ]
    sample = records_table([{"key": "PAD"}], ("key",))
    for key, passed in ((found, False), (other, True)):
        platform.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key.asset_key, check_name=key.name, passed=passed, metadata={"rows": 3, "sample": sample}
            )
        )
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")

    records = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key(platform.checks_apart)
    for record in records.values():
        assert asyncio.run(record.targets_latest_materialization(LoadingContextForTest(platform.instance)))
    lasts = last_evaluations(platform.instance, platform.checks_apart)
    told = {key.name: last.evaluation for key, last in lasts.items()}
    assert (told["reconciliation"].passed, told["unique_keys"].passed) == (False, True)
    assert set(told["reconciliation"].metadata) == {"rows", "sample", "judged_at"}
    assert set(told["unique_keys"].metadata) == {"rows", "judged_at"}, "what is well needs no sample"
    platform.curate("auto_parts")
    again = last_evaluations(platform.instance, platform.checks_apart)
    assert {key: last.at for key, last in again.items()} == {key: last.at for key, last in lasts.items()}


def test_rows_that_are_not_accounted_for_fail_their_check(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.behaviour = {"auto_parts": "miscount"}

    assert checks(platform.curate("auto_parts"))[("auto_parts", "rows_accounted")] is False


def test_curated_columns_know_the_columns_they_come_from():
    from autocorp_assets.table_metadata import curated_lineage

    deps = curated_lineage(TABLES["customers"]).deps_by_column["zip_code"]

    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps} == {
        ("raw/database/customers", "zip_code"),
        ("raw/csv/customers", "zip"),
    }


def test_curated_columns_say_what_they_are_in_the_source():
    from autocorp_assets.table_metadata import source_columns

    sources = source_columns(TABLES["sales_order"])

    assert sources["status"] == ["autocorp.public.sales_order.status", "sales_orders-YYYYMMDD.csv: status"]
    assert sources["partition_month"] == [
        "autocorp.public.sales_order.order_date",
        "sales_orders-YYYYMMDD.csv: order_date",
    ]


def test_the_tail_of_a_long_log_is_its_end(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("\n".join(f"line {number}" for number in range(50_000)))

    assert tail(log).splitlines()[-1] == "line 49999"
    assert len(tail(log).splitlines()) == 40


def test_a_replay_judges_again_what_is_selected_and_leaves_other_tables_alone(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    load(platform.lake, TABLES["service"], SERVICES, generation=2)

    again = platform.curate("auto_parts", "service", replay={"tables": ["auto_parts"], "until": "2026-01-02"})

    assert again.success
    assert [(name, found["rows_applied"]) for name, found in materialised(again).items()] == [("auto_parts", 2)]


def test_a_replay_of_nothing_fails_and_says_what_there_is(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)

    result = platform.curate("auto_parts", replay={"tables": ["auto_parts"], "since": "2026-01-03"})

    assert not result.success
    assert "there are auto_parts: 1 of database from 2026-01-02 to 2026-01-02" in failure(result)


def test_a_rebuild_plans_a_table_from_nothing_and_leaves_other_tables_alone(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    load(platform.lake, TABLES["service"], SERVICES, generation=2)

    again = platform.curate("auto_parts", "service", rebuild={"tables": ["auto_parts"]})

    assert again.success
    assert set(materialised(again)) == {"auto_parts"}


def test_a_rebuild_of_a_table_that_has_lost_raw_files_fails_and_names_them(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.curate("auto_parts")
    (platform.lake / "raw/database/auto_parts/LOAD00000001.parquet").unlink()

    result = platform.curate("auto_parts", rebuild={"tables": ["auto_parts"]})

    assert not result.success
    assert "gone: raw/database/auto_parts/LOAD00000001.parquet. Nothing was changed" in failure(result)


class Entries:
    """A catalog that remembers what it was told, and may refuse."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, str]] = {}
        self.calls = 0
        self.refuses = False

    def register(self, stored) -> list[str]:
        self.calls += 1
        self.stored |= stored
        if self.refuses:
            raise CatalogError("Glue does not answer")
        return []

    def describe(self, tables) -> dict[str, CatalogTable]:
        raise AssertionError("a run does not ask what the catalog knows")


def test_the_catalog_is_told_of_all_tables_of_a_run_at_once_with_their_columns(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    load(platform.lake, TABLES["service"], SERVICES, generation=2)
    platform.catalog = entries = Entries()

    platform.curate("auto_parts", "service")

    assert entries.calls == 1
    assert set(entries.stored) == {"auto_parts", "service"}
    assert entries.stored["auto_parts"]["price"] == "decimal(10,2)"


def test_a_catalog_that_refuses_fails_the_run_and_not_the_tables_and_is_told_again_by_the_next(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    platform.catalog = entries = Entries()
    entries.refuses = True

    result = platform.curate("auto_parts")

    assert not result.success
    assert materialised(result)["auto_parts"]["rows_applied"] == 2
    assert failure(result) == (
        "The tables are up to date, but SQL engines may not see them as they are: Glue does not answer"
    )
    entries.refuses = False
    assert platform.curate("auto_parts").success
    assert entries.calls == 2
