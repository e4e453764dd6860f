"""AutoCorp's account: which implementation serves which port."""

from __future__ import annotations

from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.arrival_queue import SqsArrivals
from autocorp_assets.resources.aws.datasync_transfer import DatasyncTransfer
from autocorp_assets.settings import Settings


def aws_resources(settings: Settings) -> dict[str, object]:
    """Resources by the names under which assets and sensors ask for them. Making them talks to nobody."""
    return {
        "lake": LakeStorage(settings.lake),
        "transfer": DatasyncTransfer(settings=settings),
        "arrival_events": SqsArrivals(settings=settings),
    }
