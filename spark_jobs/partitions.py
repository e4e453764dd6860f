"""The month by which a large table is partitioned."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from autocorp_assets.contracts.model import PARTITION_MONTH, TableContract


def month_partition(contract: TableContract, value: Callable[[str], Expression]) -> dict[str, Expression]:
    """The partition column from the value of the contract's month_of column; empty for a table without."""
    if contract.month_of is None:
        return {}
    return {PARTITION_MONTH: F.date_format(value(contract.month_of), "yyyy-MM")}
