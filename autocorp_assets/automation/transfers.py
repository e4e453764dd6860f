"""When exports are transferred: on arrival, every hour, and when others have moved them."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key
from autocorp_assets.automation.pace import LOCAL, Pace
from autocorp_assets.resources.ports import Transfer

AGAIN_SECONDS = 600
"""How long after a failed transfer the same content is tried again."""
ENDED_SECONDS = 300
"""Transfers take minutes, and the hourly one takes in what others have brought as well."""
TRANSFER_CRON = "20 * * * *"
CONTENT_TAG = "autocorp/arrivals"


def transfer_sensor(feeds: Iterable[str], *, pace: Pace = LOCAL) -> dg.SensorDefinition:
    """Requests one run for all feeds whose exports have arrived."""
    names = tuple(feeds)

    @dg.sensor(
        name="csv_arrivals",
        target=dg.AssetSelection.groups("raw_csv"),
        minimum_interval_seconds=pace.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Transfers exports once they have stopped growing.",
    )
    def csv_arrivals(
        context: dg.SensorEvaluationContext, transfer: dg.ResourceParam[Transfer]
    ) -> dg.RunRequest | dg.SkipReason:
        arrivals = {name: tuple(found) for name, found in transfer.arrivals(names).items()}
        ready = [name for name, found in arrivals.items() if found]
        if not ready:
            return dg.SkipReason(
                "nothing to transfer: no whole file in the landing place whose name is one of "
                + ", ".join(f"{name}-YYYYMMDD.csv" for name in names)
            )
        content = digest(arrivals)
        failed = _failed_before(context.instance, content)
        if failed and failed[0] > time.time() - AGAIN_SECONDS:
            return dg.SkipReason(f"the transfer of {', '.join(ready)} has failed, see its run; tried again shortly")
        return dg.RunRequest(
            run_key=f"{content}-{len(failed)}",
            asset_selection=[raw_feed_key(name) for name in ready],
            tags={CONTENT_TAG: content},
        )

    return csv_arrivals


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
        found = {name: ended for name in names if (ended := transfer.ended(name, told=told.get(name)))}
        requests = [
            dg.RunRequest(
                run_key=ended.name,
                asset_selection=[raw_feed_key(name)],
                run_config={"ops": {f"transfer_{name}": {"config": {"ended": ended.name}}}},
            )
            for name, ended in found.items()
            if ended.is_news
        ]
        quiet = None if requests else "no transfer has ended that was not told of"
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=quiet,
            cursor=json.dumps(told | {name: ended.name for name, ended in found.items()}),
        )

    return ended_transfers


def hourly_transfers() -> dg.ScheduleDefinition:
    """For exports that arrive where nobody tells of them: behind DataSync's agent. A folder is looked at each tick."""
    return dg.ScheduleDefinition(
        name="transfer_hourly",
        target=dg.AssetSelection.groups("raw_csv"),
        cron_schedule=TRANSFER_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Transfers what has arrived, every hour.",
    )


def _failed_before(instance: dg.DagsterInstance, content: str) -> list[float]:
    """When transfers of exactly this content have failed, newest first, in seconds of the epoch."""
    failed = dg.RunsFilter(tags={CONTENT_TAG: content}, statuses=[dg.DagsterRunStatus.FAILURE])
    return [record.end_time or 0.0 for record in instance.get_run_records(failed)]


def digest(arrivals: Mapping[str, tuple[str, ...]]) -> str:
    """The same for the same content, so that a tick that is repeated starts no second run."""
    return hashlib.sha256(json.dumps(arrivals, sort_keys=True).encode()).hexdigest()[:32]
