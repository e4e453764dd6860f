from autocorp_assets.contracts import TABLES
from autocorp_assets.curated.metadata import (
    files_metadata,
    in_reading_order,
    quality_metadata,
    quarantine_metadata,
    seconds_metadata,
    unknown_columns_metadata,
)
from autocorp_assets.lake.row_count import FILE_LIMIT, count_rows
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.checks.conftest import shown_rows
from autocorp_assets_tests.curated.conftest import PARTS, Platform, load
from autocorp_assets_tests.curated.test_tables import materialised

CUSTOMERS = TABLES["customers"]
SIZE = ("dagster/row_count", "bytes", "data_files")


def test_a_run_tells_how_large_the_table_is_and_how_good_its_rows_were(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)

    metadata = materialised(platform.curate("auto_parts"))["auto_parts"]

    assert (metadata["dagster/row_count"], metadata["data_files"], metadata["quality"]) == (2, 1, 1.0)
    assert metadata["bytes"] == sum(
        file.stat().st_size for file in (platform.lake / TABLES["auto_parts"].lake_path).glob("*.parquet")
    )


def test_the_size_is_told_by_a_run_without_news_too_so_that_its_plot_has_no_gaps(platform: Platform):
    load(platform.lake, TABLES["auto_parts"], PARTS)
    first = materialised(platform.curate("auto_parts"))["auto_parts"]

    idle = materialised(platform.curate("auto_parts"))["auto_parts"]

    assert [idle[name] for name in SIZE] == [first[name] for name in SIZE]
    assert "quality" not in idle


def test_quality_is_the_share_of_rows_that_were_not_kept_out():
    assert quality_metadata({"rows_read": 200, "rows_quarantined": 5}) == {"quality": 0.975}
    assert quality_metadata({"rows_read": 0}) == {}


def test_rows_kept_out_come_with_the_commands_and_the_folder_that_show_them(tmp_path):
    batch = tmp_path / "processed/quarantine/customers/batch=00000008"
    batch.mkdir(parents=True)
    (batch / "part-0.parquet").touch()

    found = quarantine_metadata(LakeStorage(tmp_path), CUSTOMERS, rows=3, revisions=range(7, 9))

    assert "`autocorp quarantine show customers`" in found["quarantined"].value
    assert found["quarantine_batch_1"].value == str(batch)
    assert set(found) == {"quarantined", "quarantine_batch_1"}


def test_a_run_that_kept_nothing_out_says_nothing_of_quarantine(tmp_path):
    assert quarantine_metadata(LakeStorage(tmp_path), CUSTOMERS, rows=0, revisions=range(7, 9)) == {}


def test_columns_that_the_contract_does_not_name_are_listed_with_what_became_of_them():
    found = unknown_columns_metadata(["grade", "loyalty"], {"sku": "string", "grade": "int"})

    assert shown_rows(found["unknown_columns"]) == [
        {"column": "grade", "type in the lake": "int"},
        {"column": "loyalty", "type in the lake": "not taken"},
    ]


def test_each_raw_file_of_the_run_is_a_row_of_a_table():
    files = [{"file": "raw/csv/customers/customers-20240101.csv", "read": 3, "applied": 3, "repairs": {"state": 2}}]

    found = files_metadata(files)

    (row,) = shown_rows(found["files"])
    assert (found["raw_files"], row["read"], row["applied"], row["repairs"]) == (1, 3, 3, "state: 2")


def test_outcomes_that_no_row_of_any_file_had_are_no_columns():
    files = [
        {"file": "a", "read": 3, "applied": 3, "superseded": 0, "quarantined": 0},
        {"file": "b", "read": 2, "applied": 1, "superseded": 0, "quarantined": 1},
    ]

    shown = shown_rows(files_metadata(files)["files"])

    assert [list(row) for row in shown] == [["file", "read", "applied", "quarantined"]] * 2


def test_what_leads_to_the_log_and_to_rows_kept_out_comes_first_and_the_files_last():
    told = dict.fromkeys(("rows_read", "files", "bytes", "quarantined", "quarantine_batch_1", "path", "job_log"), 0)

    assert list(in_reading_order(told)) == [
        "quarantined",
        "quarantine_batch_1",
        "job_log",
        "rows_read",
        "bytes",
        "path",
        "files",
    ]


def test_durations_are_rounded_and_nothing_else_is_one():
    assert seconds_metadata({"seconds": 48.96713, "rows_read": 3}) == {"seconds": 48.967}


def test_rows_of_very_many_files_are_not_counted():
    assert count_rows(["part.parquet"] * (FILE_LIMIT + 1)) is None
    assert count_rows([]) == 0
