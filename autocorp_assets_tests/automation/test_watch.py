"""The sensor on replication says how it stands, and what is wrong before it hurts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import dagster as dg
import pytest

from autocorp_assets.automation.watch import replication_status
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.resources.ports.replication import CaughtUp, ReplicationError, ReplicationState
from autocorp_assets.resources.ports.source import GIB, RetainedLog


@dataclass(frozen=True)
class Standing:
    """Replication of which only the state is asked."""

    running: bool
    log: RetainedLog | None

    def state(self) -> ReplicationState:
        return ReplicationState(running=self.running, should_run=True, summary="streaming", silent_seconds=1)

    def retained_log(self) -> RetainedLog | None:
        return self.log


def log_of(size: int) -> RetainedLog:
    return RetainedLog(slot="ours", bytes=size, limit_bytes=4 * GIB, is_lost=False)


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(True, None), "running: streaming, as of 1 s ago"),
        (
            Standing(True, log_of(3 * 1024**2)),
            "running: streaming, as of 1 s ago; the source keeps 3.0 MiB of log for it",
        ),
        (
            Standing(True, log_of(3 * GIB)),
            "WARNING: the source keeps 3.00 GiB of log for slot ours; at 4.0 GiB it gives",
        ),
        (Standing(False, log_of(0)), "DOWN: streaming"),
        (Standing(False, log_of(3 * GIB)), "DOWN: streaming; the source keeps 3.00 GiB"),
    ],
)
def test_what_it_says(standing, said):
    with dg.build_sensor_context(resources={"replication": standing, "alerts": LogAlerts()}) as context:
        result = replication_status(context)

    assert isinstance(result, dg.SkipReason)
    assert result.skip_message is not None
    assert result.skip_message.startswith(said)


@dataclass(frozen=True)
class Managed:
    """Replication by a service that goes on without us."""

    stands: ReplicationState
    done: list[str]
    refuses: str = ""

    def state(self) -> ReplicationState:
        return self.stands

    def retained_log(self) -> RetainedLog | None:
        return None

    def catch_up(self, **_: object) -> CaughtUp:
        raise NotImplementedError

    def reload(self, *_: object, **__: object) -> dict[str, str]:
        raise NotImplementedError

    def resume(self) -> str:
        if self.refuses:
            raise ReplicationError(self.refuses)
        self.done.append("resume")
        return "resumed"

    def begin_reload(self, table: str) -> None:
        self.done.append(f"reload {table}")

    def record_loads(self) -> list[str]:
        self.done.append("record")
        return []


def tick(replication: Managed, alerts: LogAlerts, cursor: str | None = None) -> tuple[str, str | None]:
    with dg.build_sensor_context(resources={"replication": replication, "alerts": alerts}, cursor=cursor) as context:
        result = replication_status(context)
        assert isinstance(result, dg.SkipReason)
        return result.skip_message or "", context.cursor


INTERRUPTED = ReplicationState(running=False, should_run=True, summary="task failed", restart_mends=True)


def test_a_service_that_was_interrupted_is_resumed_and_remembered():
    done: list[str] = []

    said, cursor = tick(Managed(INTERRUPTED, done), LogAlerts())
    again, _ = tick(Managed(INTERRUPTED, done), LogAlerts(), cursor)

    assert done == ["resume"]
    assert said == "DOWN: task failed; started again, attempt 1 of 5"
    assert "started again in" in again


def test_a_service_that_refuses_to_start_says_why_and_the_attempt_counts():
    said, cursor = tick(Managed(INTERRUPTED, [], refuses="the endpoint is gone"), LogAlerts())

    assert "the endpoint is gone" in said
    assert cursor is not None
    assert '"": [' in cursor


def test_what_it_will_not_restart_is_an_alert(caplog):
    broken = replace(INTERRUPTED, restart_mends=False, remedy="give it more storage")

    _, cursor = tick(Managed(broken, []), LogAlerts())
    tick(Managed(broken, []), LogAlerts(), cursor)

    assert [record.message for record in caplog.records if record.name == "autocorp.alerts"] == [
        "Replication is down: task failed. It is not started again: give it more storage"
    ]


def test_loads_that_somebody_else_began_are_recorded_and_a_table_in_error_is_loaded_anew():
    done: list[str] = []
    state = ReplicationState(running=True, should_run=True, summary="lag 3 s", tables_in_error=("service",))

    said, _ = tick(Managed(state, done), LogAlerts())

    assert done == ["reload service", "record"]
    assert said == "running: lag 3 s; service is loaded anew"
