"""A checkpoint is trusted only when no change after it can be missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autocorp_assets.local.replicator.checkpoint import Checkpoint
from autocorp_assets.local.replicator.source import Slot
from autocorp_assets.local.replicator.trust import reason_to_load

CHECKPOINT = Checkpoint(slot="s", source="1/autocorp", lake="../lake", generation=1, whole_generation=1, lsn=100)
SLOT = Slot(active_pid=None, confirmed=90, is_lost=False, retained_bytes=0)
GOOD: dict[str, Any] = {
    "source": "1/autocorp",
    "slot": SLOT,
    "current_lsn": 120,
    "unpublished": [],
    "has_manifest": True,
}


def test_slot_behind_the_checkpoint_is_where_to_go_on():
    assert reason_to_load(CHECKPOINT, **GOOD) is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"source": "2/autocorp"}, "another database"),
        ({"slot": None}, "gone"),
        ({"slot": replace(SLOT, is_lost=True)}, "invalidated"),
        ({"slot": replace(SLOT, confirmed=101)}, "does not belong"),
        ({"current_lsn": 99}, "does not belong"),
        ({"unpublished": ["service"]}, "service"),
        ({"has_manifest": False}, "no manifest of generation 1"),
    ],
)
def test_a_gap_is_never_passed_over(wrong, reason):
    assert reason in (reason_to_load(CHECKPOINT, **{**GOOD, **wrong}) or "")


def test_a_load_that_did_not_end_is_begun_again():
    assert "no complete load" in (reason_to_load(replace(CHECKPOINT, lsn=0), **GOOD) or "")
