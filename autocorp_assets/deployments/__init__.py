"""Which implementation serves which port, by deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocorp_assets.resources.ports.replication import Replication
    from autocorp_assets.resources.ports.source import ReadOnlySource
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


def source_ports(settings: Settings) -> tuple[ReadOnlySource, Replication]:
    """The source and its replication alone, for commands that should not wait for all of Dagster."""
    if settings.deployment == "aws":
        from autocorp_assets.deployments.aws import aws_replication, aws_source

        source = aws_source(settings)
        return source, aws_replication(settings, source)
    from autocorp_assets.resources.local_replication import LocalReplication
    from autocorp_assets.resources.local_source import LocalSource

    return LocalSource(settings=settings), LocalReplication(settings=settings)
