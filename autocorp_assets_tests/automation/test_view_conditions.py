"""When views are asked, over a platform of two tables and a view of each, whose checks fail when told to."""

from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg

from autocorp_assets.automation.view_conditions import view_condition, view_sensor
from autocorp_assets.checks.results import told_without_a_run

NOON = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
ORDERS, PARTS = dg.AssetKey("orders"), dg.AssetKey("parts")
VERDICTS = dg.AssetSelection.checks(*(dg.AssetCheckKey(key, "rules") for key in (ORDERS, PARTS)))


class Platform:
    """Two tables curated by one op, `orders_view` of one and `parts_view` of the other."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: dg.AssetDaemonCursor | None = None
        self.now = NOON
        self.commits = {ORDERS: 1, PARTS: 1}
        self.bad: set[dg.AssetKey] = set()
        self.broken: set[str] = set()
        self.missing: set[dg.AssetKey] = set()
        self.sql_version = "1"
        self.definitions = cache(self._definitions)

    def _definitions(self, sql_version: str) -> dg.Definitions:
        @dg.multi_asset(
            specs=[dg.AssetSpec(key, skippable=True) for key in (ORDERS, PARTS)],
            check_specs=[
                dg.AssetCheckSpec(name, asset=key) for key in (ORDERS, PARTS) for name in ("rules", "columns_named")
            ],
            can_subset=True,
        )
        def curate(context: dg.AssetExecutionContext):
            for key in {ORDERS, PARTS} - self.missing:
                yield dg.MaterializeResult(asset_key=key, data_version=dg.DataVersion(str(self.commits[key])))
                yield dg.AssetCheckResult(asset_key=key, check_name="rules", passed=key not in self.bad)
                yield dg.AssetCheckResult(asset_key=key, check_name="columns_named", passed=False)

        @dg.multi_asset(
            specs=[
                dg.AssetSpec(
                    f"{key.path[-1]}_view",
                    deps=[key],
                    skippable=True,
                    code_version=sql_version,
                    automation_condition=view_condition(VERDICTS),
                )
                for key in (ORDERS, PARTS)
            ],
            can_subset=True,
        )
        def ask_views(context: dg.AssetExecutionContext):
            asked = {key.path[-1] for key in context.selected_asset_keys}
            yield from (dg.MaterializeResult(asset_key=name) for name in sorted(asked - self.broken))
            if asked & self.broken:
                raise dg.Failure("broken", allow_retries=False)

        return dg.Definitions(assets=[curate, ask_views])

    def curate(self, *changed: dg.AssetKey) -> None:
        for key in changed:
            self.commits[key] += 1
        self._run([ORDERS, PARTS])

    def tick(self, *, after: timedelta = timedelta(minutes=1)) -> set[str]:
        """Names of the views that a tick asks for; they are asked at once."""
        self.now += after
        result = dg.evaluate_automation_conditions(
            self.definitions(self.sql_version), instance=self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        names = {name for name in ("orders_view", "parts_view") if result.get_num_requested(dg.AssetKey(name))}
        if names:
            self._run([dg.AssetKey(name) for name in sorted(names)])
        return names

    def values(self, *, after: timedelta) -> tuple[str, ...]:
        """What the looks at both views come to, by which Dagster tells whether anything has changed."""
        self.now += after
        result = dg.evaluate_automation_conditions(
            self.definitions(self.sql_version), instance=self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        assert result.total_requested == 0
        return tuple(one.value_hash for one in result.results)

    def beat(self) -> None:
        """What keeps the tables of a quiet source fresh."""
        for key in (ORDERS, PARTS):
            last = self.instance.get_latest_materialization_event(key)
            assert last is not None
            assert last.asset_materialization is not None
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, tags=last.asset_materialization.tags))
            newest = self.instance.fetch_materializations(key, limit=1).records[0]
            for verdict in told_without_a_run(self.instance, [dg.AssetCheckKey(key, "rules")], newest):
                self.instance.report_runless_asset_event(verdict)

    def begin_curation(self) -> dg.DagsterRun:
        job = self.definitions(self.sql_version).resolve_implicit_global_asset_job_def()
        keys = frozenset({ORDERS, PARTS})
        return self.instance.create_run_for_job(job, asset_selection=keys, status=dg.DagsterRunStatus.STARTED)

    def _run(self, keys: list[dg.AssetKey]) -> None:
        job = self.definitions(self.sql_version).resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=self.instance, asset_selection=keys, raise_on_error=False)


def settled() -> Platform:
    platform = Platform()
    platform.curate()
    assert platform.tick() == {"orders_view", "parts_view"}
    assert platform.tick() == set()
    return platform


def test_at_first_every_view_is_asked_though_no_table_ever_existed():
    platform = Platform()

    assert platform.tick() == {"orders_view", "parts_view"}
    assert platform.tick() == set()


def test_a_change_of_a_table_asks_the_views_of_that_table_once():
    platform = settled()

    platform.curate(PARTS)

    assert platform.tick() == {"parts_view"}
    assert platform.tick() == set()


def test_a_run_that_found_every_table_unchanged_asks_for_nothing():
    platform = settled()

    platform.curate()

    assert platform.tick() == set()


def test_heartbeats_ask_for_nothing():
    platform = settled()

    asked = []
    for _ in range(3):
        platform.beat()
        asked.append(platform.tick())

    assert asked == [set(), set(), set()]


def test_a_heartbeat_does_not_free_what_a_check_holds_back():
    platform = settled()
    platform.bad = {ORDERS}
    platform.curate(ORDERS)
    platform.tick()

    for _ in range(3):
        platform.beat()

        assert platform.tick() == set()


def test_a_run_that_looked_and_did_not_call_its_table_fresh_asks_for_nothing():
    platform = settled()

    platform.instance.report_runless_asset_event(dg.AssetObservation(PARTS))

    assert platform.tick() == set()


def test_a_view_waits_for_no_table_that_never_existed():
    platform = Platform()
    platform.missing = {ORDERS}
    platform.tick()

    platform.curate(PARTS)

    assert platform.tick() == {"parts_view"}


def test_nobody_looks_more_than_once_a_minute():
    """And a look makes one run at most."""
    assert (view_sensor().minimum_interval_seconds or 0) >= 60


def test_while_nothing_happens_dagster_has_nothing_to_store_whatever_the_clock_says():
    """It stores 100 KB of each view whenever a look comes to another value than the one before."""
    platform = settled()
    platform.bad = {ORDERS}
    platform.curate(ORDERS)
    platform.tick()

    values = [platform.values(after=timedelta(minutes=1)) for _ in range(4)]

    assert len(set(values[1:])) == 1


def test_a_failing_check_of_one_table_holds_back_its_views_and_no_other():
    platform = settled()
    platform.bad = {ORDERS}

    platform.curate(ORDERS, PARTS)

    assert platform.tick() == {"parts_view"}


def test_what_was_held_back_is_asked_once_the_check_has_passed():
    platform = settled()
    platform.bad = {ORDERS}
    platform.curate(ORDERS)
    assert platform.tick() == set()

    platform.bad = set()
    platform.curate(ORDERS)

    assert platform.tick() == {"orders_view"}


def test_a_run_that_begins_does_not_free_what_a_check_holds_back():
    platform = settled()
    platform.bad = {ORDERS}
    platform.curate(ORDERS)
    assert platform.tick() == set()

    platform.begin_curation()

    assert platform.tick() == set()


def test_a_view_does_not_wait_for_a_run_that_is_under_way():
    platform = settled()
    platform.curate(PARTS)

    platform.begin_curation()

    assert platform.tick() == {"parts_view"}


def test_a_check_that_is_no_verdict_on_the_rows_holds_nothing_back():
    """`columns_named` fails all the time here."""
    assert settled()


def test_a_broken_view_is_asked_again_every_ten_minutes_and_not_at_each_change():
    platform = settled()
    platform.broken = {"parts_view"}
    platform.curate(PARTS)
    assert platform.tick() == {"parts_view"}  # 12:03:30

    platform.curate(PARTS)
    soon = platform.tick()
    later = platform.tick(after=timedelta(minutes=7))

    assert (soon, later) == (set(), {"parts_view"})


def test_another_sql_is_asked_at_once():
    platform = settled()
    platform.broken = {"parts_view"}
    platform.curate(PARTS)
    platform.tick()

    platform.broken, platform.sql_version = set(), "2"

    assert "parts_view" in platform.tick()


def test_dagster_can_tell_the_parts_that_remember_apart():
    """It stores what a `since` was by an id made of its operands' names: two of one id would overwrite each other."""

    def remembering(condition: dg.AutomationCondition) -> list[dg.AutomationCondition]:
        own = [condition] if condition.name == "SINCE" else []
        return [*own, *(found for child in condition.children for found in remembering(child))]

    found = remembering(view_condition(VERDICTS))
    ids = {condition.get_node_unique_id(parent_unique_id=None, index=None, target_key=None) for condition in found}

    assert len(ids) == len(found) == 2
