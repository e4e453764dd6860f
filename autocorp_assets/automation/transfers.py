"""When exports are transferred: on arrival, every hour, and when others have moved them."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key
from autocorp_assets.automation.pace import LOCAL, Pace
from autocorp_assets.resources.ports.transfer import EndedTransfer, Transfer, TransferFailed

AGAIN_SECONDS = 600
"""How long after a failed transfer the same content is tried again."""
ENDED_SECONDS = 300
"""Transfers take minutes, and the hourly one takes in what others have brought as well."""
TRANSFER_CRON = "20 * * * *"
CONTENT_TAG = "autocorp/arrivals"
HOURLY_TRANSFER = "transfer_hourly"
UNKNOWN = "UNKNOWN whether anything has arrived"


def transfer_sensor(feeds: Iterable[str], *, transfer: Transfer, pace: Pace = LOCAL) -> dg.SensorDefinition:
    """Requests one run for all feeds whose exports have arrived.

    Args:
        feeds: names.
        transfer: is asked what has arrived. An argument and no resource of Dagster: for those it opens its instance at
            each tick, which costs a hundred times what the look itself does.
        pace: how often it looks.
    """
    names = tuple(feeds)

    @dg.sensor(
        name="csv_arrivals",
        target=dg.AssetSelection.groups("raw_csv"),
        minimum_interval_seconds=pace.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Transfers exports once they have stopped growing.",
    )
    def csv_arrivals(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            arrived = Arrived.of(transfer, names)
        except TransferFailed as error:
            return dg.SkipReason(f"{UNKNOWN}: {error}")
        if not arrived.feeds:
            return dg.SkipReason(nothing_arrived(names))
        failed = _failed_before(context.instance, arrived.content)
        if failed and (waits := failed[0] + AGAIN_SECONDS - time.time()) > 0:
            return dg.SkipReason(
                f"the transfer of {arrived.told} has failed, see its run; tried again in {waits / 60:.0f} min, and at "
                "once when the files change"
            )
        return arrived.request(run_key=f"{arrived.content}-{len(failed)}")

    return csv_arrivals


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What lies where exports arrive and is not in raw."""

    feeds: tuple[str, ...]
    content: str
    """The same for the same files."""

    @classmethod
    def of(cls, transfer: Transfer, feeds: Sequence[str]) -> Self:
        """Raises TransferFailed when nobody can say."""
        arrivals = {name: tuple(found) for name, found in transfer.arrivals(feeds).items()}
        return cls(feeds=tuple(name for name, found in arrivals.items() if found), content=digest(arrivals))

    @property
    def told(self) -> str:
        return ", ".join(self.feeds)

    def request(self, *, run_key: str | None = None) -> dg.RunRequest:
        """One run for all of them."""
        return dg.RunRequest(
            run_key=run_key,
            asset_selection=[raw_feed_key(name) for name in self.feeds],
            tags={CONTENT_TAG: self.content},
        )


def nothing_arrived(feeds: Sequence[str]) -> str:
    """Why nothing is transferred, and what a file must be called that would be."""
    names = ", ".join(f"{name}-YYYYMMDD.csv" for name in feeds)
    return (
        f"nothing to transfer: no whole file in the landing place that is not in raw and whose name is one of {names}"
    )


def ended_transfers_sensor(feeds: Iterable[str]) -> dg.SensorDefinition:
    """Requests a run for each transfer that others have started and that has ended.

    The run takes in what it brought, or fails with its reason, and so tells of it as of a transfer of ours, once.
    """
    names = tuple(feeds)

    @dg.sensor(
        name="ended_transfers",
        target=dg.AssetSelection.groups("raw_csv"),
        minimum_interval_seconds=ENDED_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes in what a transfer has brought that was started by hand or by its own schedule.",
    )
    def ended_transfers(context: dg.SensorEvaluationContext, transfer: dg.ResourceParam[Transfer]) -> dg.SensorResult:
        told: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        found: dict[str, EndedTransfer] = {}
        unknown: list[str] = []
        for name in names:
            try:
                if ended := transfer.ended(name, told=told.get(name)):
                    found[name] = ended
            except TransferFailed as error:
                context.log.error(str(error))
                unknown.append(str(error))
        requests = [
            dg.RunRequest(
                run_key=ended.name,
                asset_selection=[raw_feed_key(name)],
                run_config={"ops": {f"transfer_{name}": {"config": {"ended": ended.name}}}},
            )
            for name, ended in found.items()
            if ended.is_news
        ]
        quiet = f"{UNKNOWN}: {'; '.join(unknown)}" if unknown else "no transfer has ended that was not told of"
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else quiet,
            cursor=json.dumps(told | {name: ended.name for name, ended in found.items()}),
        )

    return ended_transfers


def hourly_transfers() -> dg.ScheduleDefinition:
    """For exports that arrive where nobody tells of them: behind DataSync's agent."""
    return dg.ScheduleDefinition(
        name=HOURLY_TRANSFER,
        target=dg.AssetSelection.groups("raw_csv"),
        cron_schedule=TRANSFER_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Transfers what has arrived, every hour.",
    )


def missed_transfers(feeds: Iterable[str]) -> dg.ScheduleDefinition:
    """For exports that the sensor has not had transferred: it was off, or the run that it asked for was cancelled.

    Where to look costs nothing, no run is made to find that nothing has arrived.
    """
    names = tuple(feeds)

    @dg.schedule(
        name=HOURLY_TRANSFER,
        target=dg.AssetSelection.groups("raw_csv"),
        cron_schedule=TRANSFER_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Transfers every hour what has arrived and sensor `csv_arrivals` has missed.",
    )
    def transfer_hourly(
        context: dg.ScheduleEvaluationContext, transfer: dg.ResourceParam[Transfer]
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            arrived = Arrived.of(transfer, names)
        except TransferFailed as error:
            return dg.SkipReason(f"{UNKNOWN}: {error}")
        if not arrived.feeds:
            return dg.SkipReason(nothing_arrived(names))
        if run := _run_of(context.instance, arrived.content):
            return dg.SkipReason(
                f"run {run.run_id[:8]} is for just what has arrived, and is {run.status.value.lower()}"
            )
        return arrived.request()

    return transfer_hourly


def _run_of(instance: dg.DagsterInstance, content: str) -> dg.DagsterRun | None:
    """A run that transfers exactly this content, or has: it complained then of what still lies there."""
    runs = instance.get_runs(dg.RunsFilter(tags={CONTENT_TAG: content}))
    given_up = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    return next((run for run in runs if run.status not in given_up), None)


def _failed_before(instance: dg.DagsterInstance, content: str) -> list[float]:
    """When transfers of exactly this content have failed, newest first, in seconds of the epoch."""
    failed = dg.RunsFilter(tags={CONTENT_TAG: content}, statuses=[dg.DagsterRunStatus.FAILURE])
    return [record.end_time or 0.0 for record in instance.get_run_records(failed)]


def digest(arrivals: Mapping[str, tuple[str, ...]]) -> str:
    """The same for the same content, so that a tick that is repeated starts no second run."""
    return hashlib.sha256(json.dumps(arrivals, sort_keys=True).encode()).hexdigest()[:32]
