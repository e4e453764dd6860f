"""A platform that runs, as an operator has it, with something to show on every page."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psycopg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import RULES
from autocorp_assets.checks.results import last_evaluation
from autocorp_assets.local.generator.traffic import simulate
from autocorp_assets.local.source.connection import open_source
from autocorp_assets_tests.e2e.data_folder import DataFolder, end, free_port, wait_for

READY_WITHIN_SECONDS = 180
DONE_WITHIN_SECONDS = 300
"""Far above what it takes: the machine of a test may be busy."""
STOPPED_WITHIN_SECONDS = 60
RUN_WITHIN_MILLISECONDS = 180_000
"""A run may wait for the one writer's slot, which a run of the sensors holds."""

UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
ORDERS = curated_key("sales_order")
UNKNOWN_PAYMENT, NEGATIVE_TAX, WRONG_TOTAL = (101, 102), (301,), (201, 202, 203)
"""Orders of the source that break a rule."""
MISTAKES = {
    "UPDATE sales_order SET payment_method = 'Bitcoin' WHERE order_id = ANY(%s)": UNKNOWN_PAYMENT,
    "UPDATE sales_order SET tax = -tax, total_amount = subtotal - tax WHERE order_id = ANY(%s)": NEGATIVE_TAX,
    "UPDATE sales_order SET total_amount = total_amount + 10 WHERE order_id = ANY(%s)": WRONG_TOTAL,
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`autocorp dev` on a data folder, until the surrounding `with` ends."""

    folder: DataFolder
    url: str
    instance: dg.DagsterInstance

    def asset(self, key: dg.AssetKey, view: str = "overview") -> str:
        """Address of an asset's page."""
        return f"{self.url}/assets/{'/'.join(key.path)}?view={view}"

    def do_business(self, *, orders: int, seed: int) -> None:
        """Orders are placed and all that goes with them, and the platform has taken it in."""
        before = self.materializations(ORDERS)
        with open_source(self.folder.settings) as source:
            simulate(source.dsn, orders=orders, seed=seed)
        self._wait_for(lambda: self.materializations(ORDERS) > before)

    def make_mistakes(self) -> None:
        """Orders that break rules: the platform mirrors them, and the check of their table says so."""
        with open_source(self.folder.settings) as source, psycopg.connect(source.dsn) as connection:
            for statement, orders in MISTAKES.items():
                connection.execute(statement.encode(), [list(orders)])
        self._wait_for(self._mistakes_are_found)

    def come_to_rest(self) -> None:
        """Returns once no run is under way."""
        self._wait_for(lambda: not self.instance.get_runs_count(dg.RunsFilter(statuses=UNDER_WAY)))

    def materializations(self, key: dg.AssetKey) -> int:
        return len(self.instance.fetch_materializations(key, limit=100).records)

    def oldest_materialization(self, key: dg.AssetKey) -> dg.EventLogRecord:
        return self.instance.fetch_materializations(key, limit=1, ascending=True).records[0]

    def wait_until_fresh(self, key: dg.AssetKey) -> None:
        """Returns once Dagster calls it so: it looks every half minute, and the page says what it last saw."""

        def is_fresh() -> bool:
            record = self.instance.get_freshness_state_records([key]).get(key)
            return record is not None and record.freshness_state.value == "PASS"

        self._wait_for(is_fresh)

    def _mistakes_are_found(self) -> bool:
        last = last_evaluation(self.instance, dg.AssetCheckKey(ORDERS, RULES))
        return last is not None and not last.passed

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        wait_for(condition, seconds=DONE_WITHIN_SECONDS, what=self._log)

    def _log(self) -> str:
        return (self.folder.settings.logs_folder / "dagster.log").read_text()[-4000:]


@contextmanager
def run_stage(folder: DataFolder, *, output: Path) -> Generator[Stage]:
    """The platform that `make dev` starts; what it prints goes to the file."""
    port = free_port()
    platform = folder.start("dev", "--port", str(port), output=output)
    try:
        wait_for(lambda: b"ready:" in output.read_bytes(), seconds=READY_WITHIN_SECONDS, what=output.read_text)
        with dg.DagsterInstance.from_config(str(folder.settings.dagster_folder)) as instance:
            yield Stage(folder=folder, url=f"http://127.0.0.1:{port}", instance=instance)
    finally:
        end(platform, signal.SIGINT, seconds=STOPPED_WITHIN_SECONDS)
