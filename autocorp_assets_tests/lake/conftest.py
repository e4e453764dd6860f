from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autocorp_assets_tests.lake.lake_writer import NAME, LakeWriter

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def writer(spark: SparkSession, tmp_path) -> LakeWriter:
    return LakeWriter(spark, tmp_path / NAME)
