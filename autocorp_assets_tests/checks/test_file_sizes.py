"""Many small files, or a giant one, are a warning; small tables and partitions are none."""

from datetime import UTC, datetime

import dagster as dg

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import FILE_SIZES, check_table
from autocorp_assets.checks.file_sizes import LARGE_BYTES, MIB, NEEDLESS_LIMIT, file_sizes
from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.snapshots import Snapshot
from autocorp_assets.query.engine import LakeQuery
from autocorp_assets_tests.checks.conftest import shown_rows
from spark_jobs.checkpoint import Checkpoint

ORDERS = TABLES["sales_order"]


def judged(sizes: dict[str, int]) -> dg.AssetCheckResult:
    snapshot = Snapshot(
        table=ORDERS.name,
        commit="1",
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
        checkpoint=Checkpoint(),
        files=tuple(sizes),
        file_sizes=tuple(sizes.values()),
        columns={},
    )
    selected = frozenset({dg.AssetCheckKey(curated_key(ORDERS.name), FILE_SIZES)})
    (result,) = check_table(ORDERS, snapshot=snapshot, files=(), selected=selected, query=LakeQuery("/nowhere"))
    return result


def test_a_small_file_in_each_of_many_folders_is_fine():
    found = file_sizes({f"t/month={month}/a.parquet": MIB for month in range(500)})

    assert (found.files, found.folders, found.small, found.needless, found.small_share) == (500, 500, 500, 0, 1)
    assert found.is_fine


def test_many_small_files_of_one_folder_warn_with_their_numbers():
    sizes = {f"t/m=1/{number}.parquet": 1000 for number in range(NEEDLESS_LIMIT + 2)}

    result = judged({**sizes, "t/m=2/a.parquet": 100 * MIB})

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "101 needless small files of 103"
    metadata = {name: value.value for name, value in result.metadata.items()}
    assert (metadata["files_checked"], metadata["bytes_median"], metadata["files_small_share"]) == (103, 1000, 0.99)


def test_a_giant_file_is_named():
    result = judged({"t/a.parquet": LARGE_BYTES + 1, "t/b.parquet": LARGE_BYTES})

    assert result.description == "1 files above 1,024 MiB of 2"
    assert shown_rows(result.metadata["sample"]) == [{"file": "t/a.parquet", "bytes": LARGE_BYTES + 1}]


def test_an_empty_table_has_no_files_to_complain_of():
    assert judged({}).passed
