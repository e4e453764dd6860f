"""AutoCorp's account: which implementation serves which port."""

from __future__ import annotations

from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.dms_replication import DmsReplication
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.settings import Settings


def aws_resources(settings: Settings) -> dict[str, object]:
    """Resources by the names under which assets and sensors ask for them. Making them talks to nobody."""
    aws = settings.aws
    return {
        "lake": LakeStorage(settings.lake),
        "replication": DmsReplication(task=aws.replication_task, lake=str(settings.lake), slot=settings.slot),
        "alerts": LogAlerts(),
    }
