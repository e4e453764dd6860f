"""What the DMS task, its endpoints and the source have to be."""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager

import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.resources.aws import dms_settings as wanted
from autocorp_assets.resources.aws.dms_slot import retained_log
from autocorp_assets.resources.ports.source import SourceUnavailable

LAKE = "s3://bucket/some/lake"


def test_the_mappings_take_in_each_table_and_write_below_raw_database():
    rules = wanted.table_mappings()["rules"]

    assert [rule["object-locator"]["table-name"] for rule in rules if rule["rule-type"] == "selection"] == list(TABLES)
    assert len({rule["rule-id"] for rule in rules}) == len(rules)
    (rename,) = [rule for rule in rules if rule["rule-action"] == "rename"]
    assert (rename["object-locator"]["schema-name"], rename["value"]) == ("public", "database")
    (added,) = [rule for rule in rules if rule["rule-action"] == "add-column"]
    assert (added["value"], added["expression"]) == ("dms_change_seq", "$AR_H_CHANGE_SEQ")
    assert added["data-type"] == {"type": "string", "length": 35}


def test_the_settings_of_the_seed_that_lose_data_are_others():
    settings = wanted.task_settings()

    assert settings["TargetMetadata"]["LobMaxSize"] > 32
    assert settings["FullLoadSettings"]["TargetTablePrepMode"] == "DO_NOTHING"
    assert settings["ChangeProcessingTuning"]["MinTransactionSize"] == 1000


def test_the_target_is_the_lakes_raw_folder():
    settings = wanted.target_settings(LAKE)

    assert (settings["BucketName"], settings["BucketFolder"]) == ("bucket", "some/lake/raw")
    assert wanted.target_settings("s3://bucket")["BucketFolder"] == "raw"


@pytest.mark.parametrize("settings", [wanted.task_settings(), wanted.target_settings(LAKE), wanted.source_settings()])
def test_what_is_wanted_differs_in_nothing_from_itself(settings):
    assert wanted.differences(settings, settings) == ()


def test_aws_writes_the_same_in_other_ways():
    target = wanted.target_settings(LAKE)
    as_told = {**target, "DataFormat": "PARQUET", "DatePartitionEnabled": "true", "CdcMinFileSize": "32000"}
    del as_told["PreserveTransactions"]

    assert wanted.differences(as_told, target) == ()


def test_the_seeds_own_settings_are_named_as_wrong():
    seed = copy.deepcopy(wanted.task_settings())
    seed["TargetMetadata"]["LobMaxSize"] = 32
    seed["FullLoadSettings"]["TargetTablePrepMode"] = "DROP_AND_CREATE"

    found = {str(difference) for difference in wanted.differences(seed, wanted.task_settings())}

    assert found == {
        "TargetMetadata.LobMaxSize is 32, and should be 1024",
        'FullLoadSettings.TargetTablePrepMode is "DROP_AND_CREATE", and should be "DO_NOTHING"',
    }


def test_a_larger_limit_and_a_shorter_batch_are_as_good():
    larger = wanted.task_settings(lob_kilobytes=4096)
    sooner = {**wanted.target_settings(LAKE), "CdcMaxBatchInterval": 30}

    assert wanted.differences(larger, wanted.task_settings()) == ()
    assert wanted.differences(sooner, wanted.target_settings(LAKE)) == ()


def test_rules_are_compared_by_what_they_do():
    actual = json.loads(json.dumps(wanted.table_mappings()))
    for number, rule in enumerate(actual["rules"]):
        rule |= {"rule-id": str(100 + number), "rule-name": "x", "filters": []}
    assert wanted.mapping_differences(actual) == ()

    selection = actual["rules"].pop(0)
    other = {**selection, "object-locator": {"schema-name": "public", "table-name": "secrets"}}
    actual["rules"].append(other)

    assert [difference.name for difference in wanted.mapping_differences(actual)] == [
        "table mapping: include auto_parts",
        "table mapping: include secrets",
    ]


@pytest.fixture
def source(database):
    seed_database(database)
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def test_tables_with_texts_need_the_full_identity(source):
    assert set(wanted.large_columns()) == {"auto_parts", "sales_order"}
    assert wanted.without_full_identity(source) == ["auto_parts", "sales_order"]

    source.execute("ALTER TABLE sales_order REPLICA IDENTITY FULL")

    assert wanted.without_full_identity(source) == ["auto_parts"]


def test_the_longest_texts_are_measured_in_bytes(source):
    source.execute(
        "UPDATE auto_parts SET description = repeat('é', 20000) WHERE sku = (SELECT min(sku) FROM auto_parts)"
    )
    source.execute("UPDATE sales_order SET notes = NULL")

    assert {(one.table, one.column): one.kilobytes for one in wanted.longest_texts(source)} == {
        ("auto_parts", "description"): 40000 / 1024
    }


class Source:
    """A source that can be asked, or not."""

    def __init__(self, dsn: str | None) -> None:
        self.dsn = dsn

    @contextmanager
    def connect(self, *, statement_seconds: float):
        if self.dsn is None:
            raise SourceUnavailable("away")
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            yield connection


def test_the_log_that_the_source_keeps_for_the_slot_is_told(database):
    assert retained_log(Source(None), "of_dms") is None
    assert retained_log(Source(database), "of_dms") is None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('ours', 'pgoutput')")
        connection.execute("SELECT pg_create_logical_replication_slot('by_dms_0001', 'test_decoding')")

    found, named = retained_log(Source(database), "of_dms"), retained_log(Source(database), "ours")

    assert found is not None
    assert named is not None
    assert (found.slot, named.slot) == ("by_dms_0001", "ours")
    assert (found.is_lost, found.limit_bytes, found.warning) == (False, 4 * 1024**3, None)
