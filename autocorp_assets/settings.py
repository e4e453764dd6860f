"""Settings from the environment (`AUTOCORP_*`) and the layout of the data folder."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_FOLDER = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What a deployment needs to know. Every field is the environment variable `AUTOCORP_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="AUTOCORP_", frozen=True)

    deployment: Literal["local"] = "local"
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

    @property
    def lake(self) -> Path:
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
