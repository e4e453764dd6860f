"""Time of every check on the data folder that `autocorp demo` leaves, by the steps of the runs that Dagster makes."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_feed_key, raw_table_key
from autocorp_assets.checks.curated import check_specs, check_table
from autocorp_assets.checks.full_reconciliation import FULL_RECONCILIATION, full_reconciliation_checks
from autocorp_assets.checks.lag import lag_checks
from autocorp_assets.checks.raw import check_raw_feed, check_raw_table, raw_check_specs, raw_feed_check_specs
from autocorp_assets.contracts import FEEDS, TABLE_BY_FEED, TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.definitions import checks_apart
from autocorp_assets.deployments import deployment_resources
from autocorp_assets.lake.audit import read_accounts, standing_accounts
from autocorp_assets.lake.row_count import row_count
from autocorp_assets.lake.snapshots import read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.settings import Settings

Seconds = dict[str, float]
"""By `asset:check`."""


def scheduled_checks(settings: Settings) -> tuple[Seconds, list[str]]:
    """Every check with an op of its own, in one run, and those that failed."""
    checks = [*checks_apart(settings), *full_reconciliation_checks(TABLES), lag_checks(TABLES)]
    watched = {key.asset_key for check in checks for key in check.check_keys}
    defs = dg.Definitions(
        assets=[dg.AssetSpec(key) for key in watched],
        asset_checks=checks,
        jobs=[dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*checks))],
        resources=deployment_resources(settings),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        run = defs.resolve_job_def("checks").execute_in_process(instance=instance)
        stats = {step.step_key: step for step in instance.get_run_step_stats(run.run_id)}
    seconds: Seconds = {}
    for key, step in (
        (event.step_key, stats[str(event.step_key)]) for event in run.all_events if event.is_step_success
    ):
        seconds[str(key).replace("__", "/")] = (step.end_time or 0) - (step.start_time or 0)
    evaluations = run.get_asset_check_evaluations()
    failed = [f"{one.asset_key.to_user_string()}:{one.check_name}" for one in evaluations if not one.passed]
    return seconds, failed


def checks_of_runs(settings: Settings) -> Seconds:
    """Those that ride along with runs, as after a run in which all raw files were new: the most that they can cost."""
    lake = LakeStorage(settings.lake)
    seconds: Seconds = {}
    for contract in TABLES.values():
        for spec in raw_check_specs(contract):
            with _timed(seconds, raw_table_key(contract.name), spec.name):
                list(check_raw_table(lake, contract, selected=frozenset({spec.key})))
        for spec in check_specs(contract):
            with _timed(seconds, curated_key(contract.name), spec.name):
                _after_a_run(lake, contract, spec.key)
    for name, feed in FEEDS.items():
        for spec in raw_feed_check_specs(feed):
            with _timed(seconds, raw_feed_key(name), spec.name):
                contract = TABLE_BY_FEED[name]
                list(check_raw_feed(lake, feed, contract, ignored={}, selected=frozenset({spec.key})))
    return seconds


def _after_a_run(lake: LakeStorage, contract: TableContract, check: dg.AssetCheckKey) -> None:
    if snapshot := read_snapshot(lake.root, contract):
        accounts = standing_accounts(read_accounts(lake, contract)).values()
        files = [{**vars(account)} for account in accounts]
        query = LakeQuery(lake.root)
        list(check_table(contract, snapshot=snapshot, files=files, selected=frozenset({check}), query=query))


@contextmanager
def _timed(seconds: Seconds, asset: dg.AssetKey, check: str) -> Generator[None]:
    began = time.perf_counter()
    yield
    seconds[f"{asset.to_user_string()}_{check}"] = time.perf_counter() - began


def figures(seconds: Seconds, *, slowest: int) -> dict[str, object]:
    """The sum and the slowest of them."""
    found = Counter(seconds).most_common(slowest)
    return {"seconds": round(sum(seconds.values()), 1), "slowest": {name: round(value, 2) for name, value in found}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slowest", type=int, default=5, help="How many checks are named.")
    arguments = parser.parse_args()
    settings = Settings()
    customers = read_snapshot(settings.lake, TABLES["customers"])
    alone, failed = scheduled_checks(settings)
    weekly = {name: value for name, value in alone.items() if name.endswith(FULL_RECONCILIATION)}
    hourly = {name: value for name, value in alone.items() if name not in weekly}
    of_runs = checks_of_runs(settings)
    result = {
        "customers": row_count(customers.files) if customers else 0,
        "all_seconds": round(sum({**alone, **of_runs}.values()), 1),
        "hourly": figures(hourly, slowest=arguments.slowest),
        "weekly": figures(weekly, slowest=arguments.slowest),
        "with_each_run": figures(of_runs, slowest=arguments.slowest),
        "failed": failed,
    }
    print(json.dumps(result))  # noqa: T201 the result


if __name__ == "__main__":
    main()
