"""The sensor on replication says how it stands, and what is wrong before it hurts."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
import pytest

from autocorp_assets.automation.watch import replication_status
from autocorp_assets.resources.ports import GIB, ReplicationState, RetainedLog


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
    with dg.build_sensor_context(resources={"replication": standing}) as context:
        result = replication_status(context)

    assert isinstance(result, dg.SkipReason)
    assert result.skip_message is not None
    assert result.skip_message.startswith(said)
