"""Which engine answers queries; apart from the other resources, so that the command line loads nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.resources.ports.query import Query


def deployment_query(settings: Settings) -> Query:
    """Talks to nobody yet."""
    if settings.deployment == "aws":
        from autocorp_assets.resources.aws.athena import AthenaQuery

        return AthenaQuery(workgroup=settings.aws.workgroup)
    from autocorp_assets.resources.local_query import LocalQuery

    return LocalQuery(lake=settings.lake_folder)
