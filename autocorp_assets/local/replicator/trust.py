"""Whether a checkpoint still says where to go on. Pure: what is known in, a reason for a new load out."""

from __future__ import annotations

from collections.abc import Sequence

from autocorp_assets.local.replicator.checkpoint import Checkpoint
from autocorp_assets.local.replicator.source import Slot, lsn_text


def reason_to_load(
    checkpoint: Checkpoint,
    *,
    source: str,
    slot: Slot | None,
    current_lsn: int,
    unpublished: Sequence[str],
    has_manifest: bool,
) -> str | None:
    """Why changes after the checkpoint may be missing, or None when none can be.

    Args:
        checkpoint: the last one.
        source: identity of the source we are connected to.
        slot: our slot on it, None when there is none.
        current_lsn: where the source's log ends.
        unpublished: tables that the publication does not hold whole.
        has_manifest: whether the lake has the manifest of the checkpoint's load.
    """
    if not checkpoint.lsn:
        return "there is no complete load to go on from"
    if checkpoint.source != source:
        return "the source is another database than before"
    if unpublished:
        return f"the publication did not hold {', '.join(unpublished)}"
    if not has_manifest:
        return f"the lake has no manifest of generation {checkpoint.whole_generation}"
    return _fault_of_slot(slot, checkpoint.lsn, current_lsn)


def _fault_of_slot(slot: Slot | None, lsn: int, current_lsn: int) -> str | None:
    if slot is None:
        return f"the slot is gone, and with it the changes since {lsn_text(lsn)}"
    if slot.is_lost:
        return "the slot was invalidated: the source has removed log that was not read"
    if not slot.confirmed <= lsn <= current_lsn:
        return f"the slot does not belong to the checkpoint at {lsn_text(lsn)}"
    return None
