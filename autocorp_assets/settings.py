"""Settings from the environment (`AUTOCORP_*`) and the layout of the data folder."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from autocorp_assets.contracts import FEEDS
from autocorp_assets.settings_errors import SettingsError, told

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
_BUCKET_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#*]*)?")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?", re.ASCII)
_DATASYNC_TASK = re.compile(r"arn:aws[a-z-]*:datasync:[a-z0-9-]+:\d{12}:task/task-[0-9a-f]+")


def _bucket_url(value: str) -> str:
    if _BUCKET_URL.fullmatch(value) is None or "//" in value.removeprefix("s3://"):
        raise ValueError("it is not the URL of a bucket or of a folder in one, s3://bucket or s3://bucket/prefix")
    return value.rstrip("/")


def _topic_arn(value: str) -> str:
    if _TOPIC.fullmatch(value) is None:
        raise ValueError("it is not the ARN of an SNS topic, arn:aws:sns:<region>:<account>:<name>")
    return value


def _by_feed(value: dict[str, str]) -> dict[str, str]:
    if unknown := [feed for feed in value if feed not in FEEDS]:
        raise ValueError(f"there is no feed {', '.join(unknown)}; there are {', '.join(FEEDS)}")
    if wrong := [task for task in value.values() if task.startswith("arn:") and not _DATASYNC_TASK.fullmatch(task)]:
        raise ValueError(f"{wrong[0]} is not the ARN of a DataSync task, arn:aws:datasync:<region>:<account>:task/…")
    return value


def _metrics_namespace(value: str) -> str:
    if value.startswith(("AWS/", ":")) or not 1 <= len(value) <= 255:
        raise ValueError("a namespace has 1 to 255 characters, and those of AWS/ are not ours")
    return value


BucketUrl = Annotated[str, AfterValidator(_bucket_url)]
Minutes = Annotated[int, Field(gt=0)]
Workers = Annotated[int, Field(ge=2)]
"""Of a Glue job: one drives, the others work."""


class _FriendlySettings(BaseSettings):
    """Says what is wrong in the operator's words."""

    def __init__(self, **values: Any) -> None:
        """Read the settings.

        Raises:
            SettingsError: one is missing or cannot be used.
        """
        prefix = str(self.model_config.get("env_prefix", ""))
        try:
            super().__init__(**values)
        except ValidationError as error:
            # Without the cause: its text repeats values, which may be secret.
            raise SettingsError(told(error, type(self).model_fields, prefix)) from None
        except UnreadableSetting as error:
            message = f"a setting {prefix}… is not the JSON that it should be: {error}"
            raise SettingsError(message) from None


class AwsSettings(_FriendlySettings):
    """What the `aws` deployment is called in the account. Every field is `AUTOCORP_AWS_<FIELD>`.

    What the environment does not say is read from SSM, where `parameters` names a path: the parameter
    `<path>/<field>` is the field's value. The defaults are the names that the infrastructure gives. Nothing
    secret is a setting: the source's password is in Secrets Manager.
    """

    model_config = SettingsConfigDict(
        env_prefix="AUTOCORP_AWS_", frozen=True, use_attribute_docstrings=True, env_ignore_empty=True
    )

    parameters: Annotated[str | None, Field(pattern="^/", examples=["/autocorp/production"])] = None
    """SSM path, such as `/autocorp/production`, below which the other settings are."""
    lake: Annotated[BucketUrl, Field(examples=["s3://autocorp-lake/lake"])]
    """`s3://bucket` or `s3://bucket/prefix` under which raw, curated and processed lie."""
    replication_task: str = "autocorp"
    """Identifier of the DMS task (full load, then change data capture)."""
    transfer_tasks: Annotated[
        dict[str, str], AfterValidator(_by_feed), Field(examples=['{"customers": "autocorp-customers"}'])
    ] = {}
    """DataSync task by feed: its ARN or its name; `autocorp-<feed>` unless named."""
    landing: Annotated[BucketUrl | None, Field(examples=["s3://autocorp-exports/landing"])] = None
    """`s3://…` in which exports arrive, where DataSync's source is S3: what arrives there is transferred at once."""
    glue_job: str = "autocorp-curate"
    """Name of the Glue job that curates."""
    worker_type: Annotated[str, Field(pattern=r"^[GR]\.\d+X$")] = "G.1X"
    """Of the Glue job."""
    workers_min: Workers = 2
    """Workers of a Glue run that has little to do."""
    workers_max: Workers = 10
    """Workers of a Glue run that has much to do."""
    curate_every_minutes: Minutes = 10
    """At most one Glue run in that time: freshness against cost."""
    job_deadline_minutes: Minutes = 60
    """A Glue run that has not ended by then is stopped."""
    raw_crawler: str = "autocorp-raw"
    """Name of the Glue crawler of raw."""
    workgroup: str = "autocorp"
    """Athena's; it says where results go, and how much one query may scan."""
    arrivals_queue: str = "autocorp-raw-arrivals"
    """Name of the SQS queue that S3 tells of new raw objects."""
    alerts_topic: Annotated[
        Annotated[str, AfterValidator(_topic_arn)] | None,
        Field(examples=["arn:aws:sns:eu-central-1:123456789012:autocorp-alerts"]),
    ] = None
    """ARN of the SNS topic; alerts are only logged without one."""
    metrics_namespace: Annotated[str, AfterValidator(_metrics_namespace)] = "AutoCorp"
    """CloudWatch's, for our own metrics."""
    source_secret: str = "autocorp/source"  # noqa: S105 its name
    """Secret in Secrets Manager: JSON with host, port, username, password, dbname, as RDS writes them."""
    source_root_certificate: Path | None = None
    """File with the authorities of the source's certificate (RDS: global-bundle.pem): its name is verified by it."""

    @model_validator(mode="after")
    def _workers_are_a_range(self) -> Self:
        if self.workers_min > self.workers_max:
            raise ValueError(
                f"AUTOCORP_AWS_WORKERS_MIN={self.workers_min} is more than AUTOCORP_AWS_WORKERS_MAX="
                f"{self.workers_max}: set the one no higher than the other"
            )
        return self

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


class Settings(_FriendlySettings):
    """What a deployment needs to know. Every field is the environment variable `AUTOCORP_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="AUTOCORP_", frozen=True, use_attribute_docstrings=True)

    deployment: Literal["local", "aws"] = "local"
    """Where the platform runs: all on one machine, or with AWS's services."""
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
    ui_url: Annotated[str, Field(pattern="^https?://[^/]")] = "http://127.0.0.1:3000"
    """Where people open Dagster's UI: alerts link to it."""

    @model_validator(mode="after")
    def _secrets_are_not_settings(self) -> Self:
        if self.deployment == "aws" and self.source_dsn is not None:
            raise ValueError(
                "AUTOCORP_SOURCE_DSN is set, and is not for the aws deployment: the source and its password come from "
                "Secrets Manager only. Unset it, and name the secret in AUTOCORP_AWS_SOURCE_SECRET"
            )
        return self

    @cached_property
    def home_folder(self) -> Path:
        return self.home.expanduser().resolve()

    @cached_property
    def aws(self) -> AwsSettings:
        """Read when first asked for: it may have to ask AWS.

        Raises:
            SettingsError: a setting is missing or cannot be used, or SSM gives none.
        """
        return AwsSettings()

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
    def shared_dagster_home(self) -> Path | None:
        """Home of the Dagster instance that the `aws` deployment shares with other machines; None for our own.

        It is configured by who runs it, and its runs' processes are not all on this machine.
        """
        named = os.environ.get("DAGSTER_HOME")
        if self.deployment != "aws" or not named or Path(named).resolve() == self.dagster_folder:
            return None
        return Path(named)

    @property
    def logs_folder(self) -> Path:
        return self.home_folder / "logs"
