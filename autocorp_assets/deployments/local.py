"""Everything on one machine: which implementation serves which port."""

from __future__ import annotations

import dagster as dg

from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.deployments.query import deployment_query
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.local_catalog import LocalCatalog
from autocorp_assets.resources.local_replication import LocalReplication
from autocorp_assets.resources.local_source import LocalSource
from autocorp_assets.resources.local_transfer import SETTLED_SECONDS, LocalTransfer
from autocorp_assets.resources.local_views import LocalViews
from autocorp_assets.resources.log_alerts import LogAlerts
from autocorp_assets.resources.spark_job import SparkSubprocess
from autocorp_assets.settings import PROJECT_FOLDER, Settings

OWNER_ONLY = 0o700


def local_resources(settings: Settings, *, exports_are_whole: bool = False) -> dict[str, object]:
    """Resources by the names under which assets and sensors ask for them."""
    settled_seconds = 0.0 if exports_are_whole else SETTLED_SECONDS
    return {
        "lake": LakeStorage(settings.lake_folder),
        "query": deployment_query(settings),
        "catalog": LocalCatalog(lake=settings.lake_folder),
        "views": LocalViews(),
        "source": LocalSource(settings=settings),
        "replication": LocalReplication(settings=settings),
        "transfer": LocalTransfer(settings=settings, settled_seconds=settled_seconds),
        "spark": _spark(settings),
        "job_runner": _job_runner(settings),
        "alerts": LogAlerts(),
    }


def _spark(settings: Settings) -> dg.ResourceDefinition:
    """dagster-pyspark's resource, of which only the configuration is used: no JVM in a Dagster process."""

    @dg.resource(description="Configuration of the Spark sessions that the jobs open.")
    def spark(_: dg.InitResourceContext) -> object:
        # Imported here: it imports pyspark, which no other run and no load of the code location needs.
        from dagster_pyspark import LazyPySparkResource

        from autocorp_assets.local.spark_runtime import spark_conf

        return LazyPySparkResource(spark_config=spark_conf(settings))

    return spark


def _job_runner(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(required_resource_keys={"spark"}, description="Runs Spark jobs as processes of this machine.")
    def job_runner(context: dg.InitResourceContext) -> SparkSubprocess:
        def prepare() -> None:
            from autocorp_assets.local import spark_runtime

            spark_runtime.prepare(settings)
            keep_quarantine_private(settings)

        return SparkSubprocess(
            lake=settings.lake_folder,
            logs=settings.logs_folder,
            folder=PROJECT_FOLDER,
            spark_conf=context.resources.spark.spark_config,
            prepare=prepare,
        )

    return job_runner


def keep_quarantine_private(settings: Settings) -> None:
    """Whole rows lie there, personal data among them: only the platform's own user may read them."""
    folder = settings.lake_folder / QUARANTINE
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(OWNER_ONLY)
