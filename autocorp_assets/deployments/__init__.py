"""Which implementation serves which port, by deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocorp_assets.settings import Settings


def deployment_resources(settings: Settings, *, exports_are_whole: bool = False) -> dict[str, object]:
    """Resources of the deployment that the settings name, by the names under which assets ask for them.

    Args:
        settings: name the deployment.
        exports_are_whole: whoever asks says that no export is still being written.
    """
    if settings.deployment == "aws":
        from autocorp_assets.deployments.aws import aws_resources

        return aws_resources(settings)
    from autocorp_assets.deployments.local import local_resources

    return local_resources(settings, exports_are_whole=exports_are_whole)
