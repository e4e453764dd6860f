"""What tests of all parts share: settings of an empty data folder, and one Spark session for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder of the test's own; jars come from the user's cache."""
    return Settings(home=tmp_path)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session that local jobs have, with real Hudi and Delta. For tests marked `spark`.

    Shared, since starting takes seconds: use paths of your own, and `spark.newSession()` before changing
    its configuration.
    """
    from autocorp_assets.local.spark_runtime import compiled_lightly, prepare, spark_conf, spark_environment

    home = tmp_path_factory.mktemp("spark")
    settings = Settings(home=home)
    prepare(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_environment(compiled_lightly(spark_conf(settings)), home).items():
            patch.setenv(name, value)

        from pyspark.sql import SparkSession

        session = SparkSession.builder.appName("autocorp tests").getOrCreate()
        yield session
        session.stop()
