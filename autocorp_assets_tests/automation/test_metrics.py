"""What is published of each table: from Dagster's instance, each materialisation once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.automation.metrics import platform_metrics_sensor, stale_seconds
from autocorp_assets.checks.reconciliation import RECONCILIATION
from autocorp_assets.contracts import TABLES
from autocorp_assets.resources.ports.metrics import Measurement
from autocorp_assets.resources.ports.replication import ReplicationError, ReplicationState

PARTS, CUSTOMERS = TABLES["auto_parts"], TABLES["customers"]


@dataclass
class Published:
    """Metrics that are kept, or refused."""

    values: list[Measurement] = field(default_factory=list)
    calls: int = 0
    refuses: bool = False

    def publish(self, measurements) -> None:
        if self.refuses:
            raise RuntimeError("CloudWatch does not answer")
        self.calls += 1
        self.values = list(measurements)

    def of(self, table: str) -> dict[str, float]:
        return {one.name: one.value for one in self.values if one.table == table}


@dataclass(frozen=True)
class Replication:
    """Of which only the state is asked, and which follows unless it cannot be asked."""

    refuses: bool = False

    def state(self) -> ReplicationState:
        if self.refuses:
            raise ReplicationError("AWS does not say")
        return FOLLOWING


FOLLOWING = ReplicationState(running=True, should_run=True, summary="lag 0 s", silent_seconds=0, is_following=True)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def published() -> Published:
    return Published()


def report(instance: dg.DagsterInstance, key: dg.AssetKey, **metadata: int) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=key, metadata=metadata))


def tick(instance: dg.DagsterInstance, published: Published, cursor: str | None = None) -> str:
    resources = {"metrics": published, "replication": Replication()}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        result = platform_metrics_sensor([PARTS, CUSTOMERS])(context)
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return result.cursor


def test_before_anything_exists_nothing_is_published(instance, published):
    tick(instance, published)

    assert published.calls == 0


def test_rows_are_published_once_for_each_materialisation_and_in_one_call(instance, published):
    report(instance, curated_key("auto_parts"), rows_applied=1000, rows_quarantined=9)
    cursor = tick(instance, published)
    assert published.of("auto_parts") == {"Freshness": pytest.approx(0, abs=1)}

    report(instance, curated_key("auto_parts"), rows_applied=5, rows_quarantined=1)
    report(instance, curated_key("auto_parts"), rows_applied=2, rows_quarantined=0)
    cursor = tick(instance, published, cursor)
    assert published.of("auto_parts") == {
        "Freshness": pytest.approx(0, abs=1),
        "RowsApplied": 7,
        "RowsQuarantined": 1,
    }

    tick(instance, published, cursor)
    assert published.of("auto_parts") == {"Freshness": pytest.approx(0, abs=1)}
    assert published.calls == 3


def test_a_table_that_came_after_the_first_tick_is_published_from_its_first_materialisation(instance, published):
    cursor = tick(instance, published)
    report(instance, curated_key("customers"), rows_applied=3, rows_quarantined=0)

    tick(instance, published, cursor)

    assert published.of("customers")["RowsApplied"] == 3


def test_what_cloudwatch_did_not_take_is_published_by_the_next_tick(instance, published):
    cursor = tick(instance, published)
    report(instance, curated_key("customers"), rows_applied=3, rows_quarantined=0)
    published.refuses = True
    with pytest.raises(RuntimeError):
        tick(instance, published, cursor)

    published.refuses = False
    tick(instance, published, cursor)

    assert published.of("customers")["RowsApplied"] == 3


def test_a_table_is_stale_from_the_first_news_that_it_has_not_taken_in(instance):
    def waiting() -> float | None:
        return stale_seconds(instance, CUSTOMERS, FOLLOWING, now=datetime.now(UTC) + timedelta(seconds=100))

    assert waiting() is None
    report(instance, raw_table_key("customers"))
    assert waiting() == pytest.approx(100, abs=5)
    time.sleep(0.01)
    report(instance, curated_key("customers"))
    assert waiting() == 0
    time.sleep(0.01)
    assert CUSTOMERS.csv_feed is not None
    report(instance, raw_feed_key(CUSTOMERS.csv_feed.name))
    time.sleep(0.2)
    report(instance, raw_table_key("customers"))
    assert (waiting() or 0) >= 100.2


def test_news_that_came_while_the_run_was_under_way_is_not_taken_for_taken_in(instance):
    @dg.asset(key=curated_key("customers"))
    def curated_customers() -> None:
        report(instance, raw_table_key("customers"))

    assert dg.materialize([curated_customers], instance=instance).success

    later = datetime.now(UTC) + timedelta(seconds=100)
    assert (stale_seconds(instance, CUSTOMERS, FOLLOWING, now=later) or 0) > 99


def test_the_silence_and_the_lag_of_replication_count_and_also_that_nobody_can_ask_it(instance):
    report(instance, raw_table_key("auto_parts"))
    time.sleep(0.01)
    report(instance, curated_key("auto_parts"))
    later = datetime.now(UTC) + timedelta(minutes=20)

    def minutes(state: ReplicationState | None) -> float:
        return round((stale_seconds(instance, PARTS, state, now=later) or 0) / 60)

    assert minutes(FOLLOWING) == 0
    assert minutes(replace(FOLLOWING, silent_seconds=7 * 60)) == 7
    assert minutes(replace(FOLLOWING, running=False)) == minutes(None) == 20
    assert minutes(replace(FOLLOWING, tables_in_error=("auto_parts",))) == 20


def test_metrics_are_published_though_replication_cannot_be_asked(instance, published):
    report(instance, curated_key("auto_parts"))
    resources = {"metrics": published, "replication": Replication(refuses=True)}
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        platform_metrics_sensor([PARTS])(context)

    assert "Freshness" in published.of("auto_parts")


def test_differences_are_those_of_the_last_comparison_that_was_made(instance, published):
    key = dg.AssetCheckKey(curated_key("auto_parts"), RECONCILIATION)

    def compared(**metadata: int) -> None:
        @dg.asset_check(asset=key.asset_key, name=key.name)
        def reconciliation() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

        job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
        definitions = dg.Definitions(assets=[dg.AssetSpec(key.asset_key)], asset_checks=[reconciliation], jobs=[job])
        assert definitions.resolve_job_def("checks").execute_in_process(instance=instance).success

    compared(differences=4)
    cursor = tick(instance, published)
    assert published.of("auto_parts") == {"ReconciliationDifferences": 4}
    compared()
    tick(instance, published, cursor)
    assert published.calls == 1


def test_the_cursor_is_readable(instance, published):
    report(instance, curated_key("auto_parts"))

    assert set(json.loads(tick(instance, published))) == {"auto_parts", "customers"}
