"""Settings from the environment (`AUTOCORP_*`) and the layout of the data folder."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PROJECT_FOLDER = Path(__file__).resolve().parent.parent


class AwsSettings(BaseSettings):
    """What the `aws` deployment is called in the account. Every field is `AUTOCORP_AWS_<FIELD>`.

    What the environment does not say is read from SSM, where `parameters` names a path: the parameter
    `<path>/<field>` is the field's value. The defaults are the names that the infrastructure gives. Nothing
    secret is a setting: the source's password is in Secrets Manager.
    """

    model_config = SettingsConfigDict(env_prefix="AUTOCORP_AWS_", frozen=True)

    parameters: str | None = None
    """SSM path, such as `/autocorp/production`, below which the other settings are."""
    lake: str
    """`s3://bucket` or `s3://bucket/prefix` under which raw, curated and processed lie."""
    replication_task: str = "autocorp"
    """Identifier of the DMS task (full load, then change data capture)."""
    transfer_tasks: dict[str, str] = {}
    """DataSync task by feed: its ARN or its name; `autocorp-<feed>` unless named."""
    landing: str | None = None
    """`s3://…` in which exports arrive, where DataSync's source is S3: what arrives there is transferred at once."""
    glue_job: str = "autocorp-curate"
    worker_type: str = "G.1X"
    workers_min: int = 2
    workers_max: int = 10
    curate_every_minutes: int = 10
    """At most one Glue run in that time: freshness against cost."""
    job_deadline_minutes: int = 60
    """A Glue run that has not ended by then is stopped."""
    raw_crawler: str = "autocorp-raw"
    workgroup: str = "autocorp"
    """Athena's; it says where results go, and how much one query may scan."""
    arrivals_queue: str = "autocorp-raw-arrivals"
    """Name of the SQS queue that S3 tells of new raw objects."""
    alerts_topic: str | None = None
    """ARN of the SNS topic; alerts are only logged without one."""
    metrics_namespace: str = "AutoCorp"
    source_secret: str = "autocorp/source"  # noqa: S105 its name
    """Secret in Secrets Manager: JSON with host, port, username, password, dbname, as RDS writes them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 no file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        from autocorp_assets.parameter_store import ParameterStoreSource

        return init_settings, env_settings, ParameterStoreSource(settings_cls)


class Settings(BaseSettings):
    """What a deployment needs to know. Every field is the environment variable `AUTOCORP_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="AUTOCORP_", frozen=True)

    deployment: Literal["local", "aws"] = "local"
    home: Path = PROJECT_FOLDER / ".autocorp"
    """Data folder; a relative path is relative to the working directory."""
    source_dsn: SecretStr | None = None
    """libpq connection string of a PostgreSQL to read from instead of the embedded one."""
    slot: str = "autocorp_lake"
    """Replication slot in the source; one of its own for each data folder that follows the same source."""
    landing: Path | None = None
    """Folder in which CSV exports arrive; `<home>/landing` unless set."""
    cache: Path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autocorp"
    """Jars and class-data archive, shared by all data folders of a user."""
    maven_repository: str | None = None
    """Base URL of the Maven repository that the jars come from; the one that Spark itself would use unless set."""

    @cached_property
    def home_folder(self) -> Path:
        return self.home.expanduser().resolve()

    @cached_property
    def aws(self) -> AwsSettings:
        """Read when first asked for: it may have to ask AWS.

        Raises:
            pydantic.ValidationError: a setting is missing or cannot be read.
        """
        return AwsSettings()  # ty: ignore[missing-argument] it comes from the environment

    @property
    def lake(self) -> Path | str:
        """Root of the lake: a folder, or the URL of a place in S3."""
        return self.aws.lake.rstrip("/") if self.deployment == "aws" else self.lake_folder

    @property
    def lake_folder(self) -> Path:
        """The lake of the local deployment."""
        return self.home_folder / "lake"

    @property
    def landing_folder(self) -> Path:
        return (self.landing or self.home_folder / "landing").expanduser().resolve()

    @property
    def source_folder(self) -> Path:
        return self.home_folder / "source"

    @property
    def replication_folder(self) -> Path:
        return self.home_folder / "replication"

    @property
    def dagster_folder(self) -> Path:
        return self.home_folder / "dagster"

    @property
    def logs_folder(self) -> Path:
        return self.home_folder / "logs"
