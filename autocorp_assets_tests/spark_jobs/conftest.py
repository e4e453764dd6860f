"""A small lake in the suite's shared Spark session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat
from autocorp_assets_tests.spark_jobs.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def lake(tmp_path: Path, spark: SparkSession) -> Lake:
    return Lake(tmp_path, spark)


@pytest.fixture(params=["sales_order_parts", "service_parts"], ids=[str(LakeFormat.HUDI), str(LakeFormat.DELTA)])
def either_format(request: pytest.FixtureRequest) -> str:
    """A table of each format, whose rows have a number, a text and a quantity."""
    return request.param


@pytest.fixture
def key_of() -> Callable[[str, int], Any]:
    def key(table: str, number: int) -> Any:
        return f"db:{number}" if TABLES[table].has_two_systems else number

    return key
