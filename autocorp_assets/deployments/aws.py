"""AutoCorp's account: which implementation serves which port."""

from __future__ import annotations

from autocorp_assets.deployments.query import deployment_query
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.aws.arrival_queue import SqsArrivals
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.cloudwatch_metrics import CloudwatchMetrics
from autocorp_assets.resources.aws.datasync_transfer import DatasyncTransfer
from autocorp_assets.resources.aws.deployed_views import DeployedViews
from autocorp_assets.resources.aws.dms_replication import DmsReplication
from autocorp_assets.resources.aws.glue_catalog import GlueCatalog
from autocorp_assets.resources.aws.glue_job import GlueJobRunner
from autocorp_assets.resources.aws.raw_crawler import RawCrawler
from autocorp_assets.resources.aws.sns_alerts import SnsAlerts
from autocorp_assets.resources.aws.source import SecretSource
from autocorp_assets.resources.ports.source import ReadOnlySource
from autocorp_assets.settings import Settings


def aws_resources(settings: Settings) -> dict[str, object]:
    """Resources by the names under which assets and sensors ask for them. Making them talks to nobody."""
    aws = settings.aws
    source = aws_source(settings)
    return {
        "lake": LakeStorage(settings.lake),
        "query": deployment_query(settings),
        "catalog": aws_catalog(settings),
        "views": DeployedViews(ddl=AthenaDdl(workgroup=aws.workgroup)),
        "source": source,
        "alerts": SnsAlerts(topic=aws.alerts_topic),
        "metrics": CloudwatchMetrics(namespace=aws.metrics_namespace, deployment=settings.deployment),
        "replication": aws_replication(settings, source),
        "job_runner": GlueJobRunner(settings=settings, deadline_seconds=settings.aws.job_deadline_minutes * 60),
        "transfer": DatasyncTransfer(settings=settings),
        "arrival_events": SqsArrivals(settings=settings),
        "crawler": RawCrawler(name=aws.raw_crawler, lake=str(settings.lake)),
    }


def aws_catalog(settings: Settings) -> GlueCatalog:
    return GlueCatalog(lake=str(settings.lake), ddl=AthenaDdl(workgroup=settings.aws.workgroup))


def aws_source(settings: Settings) -> SecretSource:
    aws = settings.aws
    return SecretSource(secret=aws.source_secret, root_certificate=aws.source_root_certificate)


def aws_replication(settings: Settings, source: ReadOnlySource) -> DmsReplication:
    task = settings.aws.replication_task
    return DmsReplication(task=task, lake=str(settings.lake), slot=settings.slot, source=source)
