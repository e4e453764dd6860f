"""What the DMS task and its endpoints have to be, derived from the contracts and the raw format.

The settings are the seed's, but for two that lose data: its LobMaxSize of 32 KB cuts longer texts with no more than a
line in a log, and its DROP_AND_CREATE deletes a table's raw files on a reload. Names, units and values are those of
the DMS user guide ("Specifying task settings", "Using Amazon S3 as a target", "Transformation rules and actions").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import COMMIT_TIME, RAW_DATABASE, SEQUENCE, SEQUENCE_DIGITS
from autocorp_assets.resources.aws.dms_task import CONTINUOUS, SOURCE_SCHEMA

if TYPE_CHECKING:
    import psycopg

LOB_KILOBYTES = 1024
"""Texts up to this arrive whole. DMS sets memory aside for it, so not as much as there may be (102,400)."""
TARGET_FOLDER, TARGET_SCHEMA = RAW_DATABASE.split("/")
MIGRATION_TYPE = CONTINUOUS
LARGE_TYPE = "TEXT"
"""Source type that DMS carries as a limited LOB, and that PostgreSQL may leave out of an update."""
AT_LEAST = frozenset({"LobMaxSize"})
AT_MOST = frozenset({"CdcMaxBatchInterval"})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A setting that is not what the lake needs."""

    name: str
    """Its path, such as `FullLoadSettings.TargetTablePrepMode`."""
    actual: object
    wanted: object

    def __str__(self) -> str:
        return f"{self.name} is {json.dumps(self.actual)}, and should be {json.dumps(self.wanted)}"


def table_mappings() -> dict[str, Any]:
    """The contracts' tables, written below raw/database, each change with its sequence."""
    selections = [
        {
            "rule-type": "selection",
            "rule-id": str(number),
            "rule-name": f"select-{name}",
            "object-locator": {"schema-name": SOURCE_SCHEMA, "table-name": name},
            "rule-action": "include",
        }
        for number, name in enumerate(TABLES, start=1)
    ]
    rename = {
        "rule-type": "transformation",
        "rule-id": str(len(TABLES) + 1),
        "rule-name": "raw-folder",
        "rule-target": "schema",
        "object-locator": {"schema-name": SOURCE_SCHEMA},
        "rule-action": "rename",
        "value": TARGET_SCHEMA,
    }
    sequence = {
        "rule-type": "transformation",
        "rule-id": str(len(TABLES) + 2),
        "rule-name": "change-sequence",
        "rule-target": "column",
        "object-locator": {"schema-name": SOURCE_SCHEMA, "table-name": "%"},
        "rule-action": "add-column",
        "value": SEQUENCE,
        "expression": "$AR_H_CHANGE_SEQ",
        "data-type": {"type": "string", "length": SEQUENCE_DIGITS},
    }
    return {"rules": [*selections, rename, sequence]}


def task_settings(*, lob_kilobytes: int = LOB_KILOBYTES) -> dict[str, Any]:
    """The task's settings.

    Args:
        lob_kilobytes: above the longest text of the source, see `longest_texts`.
    """
    return {
        "TargetMetadata": {
            "SupportLobs": True,
            "FullLobMode": False,
            "LimitedSizeLobMode": True,
            "LobMaxSize": lob_kilobytes,
        },
        "FullLoadSettings": {
            "TargetTablePrepMode": "DO_NOTHING",
            "MaxFullLoadSubTasks": 8,
            "StopTaskCachedChangesApplied": False,
            "StopTaskCachedChangesNotApplied": False,
        },
        "ChangeProcessingTuning": {
            "BatchApplyTimeoutMin": 1,
            "BatchApplyTimeoutMax": 30,
            "BatchSplitSize": 0,
            "MinTransactionSize": 1000,
            "CommitTimeout": 1,
        },
        "Logging": {"EnableLogging": True},
    }


def target_settings(lake: str) -> dict[str, Any]:
    """S3Settings of the target endpoint, without the role that it assumes.

    Args:
        lake: `s3://bucket` or `s3://bucket/prefix`.
    """
    parts = urlsplit(lake)
    return {
        "BucketName": parts.netloc,
        "BucketFolder": f"{parts.path.strip('/')}/{TARGET_FOLDER}".lstrip("/"),
        "DataFormat": "parquet",
        "TimestampColumnName": COMMIT_TIME,
        "ParquetTimestampInMillisecond": False,
        "DatePartitionEnabled": True,
        "DatePartitionSequence": "YYYYMMDD",
        "DatePartitionDelimiter": "SLASH",
        "IncludeOpForFullLoad": False,
        "CdcInsertsOnly": False,
        "CdcInsertsAndUpdates": False,
        "PreserveTransactions": False,
        "CdcMaxBatchInterval": 60,
        "CdcMinFileSize": 32_000,
    }


def source_settings() -> dict[str, Any]:
    """PostgreSQLSettings of the source endpoint, without its secret.

    A text longer than the limit stops the task instead of being cut, and a heartbeat moves the slot on while the
    source is quiet, whose log would fill its disk otherwise. There is no SlotName: that is for tasks of changes only,
    with a start position; this one makes a slot of its own.
    """
    return {
        "CaptureDdls": True,
        "FailTasksOnLobTruncation": True,
        "HeartbeatEnable": True,
        "MapBooleanAsBoolean": False,
    }


def differences(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Where the one is not as the other wants it; what is not wanted in particular may be anything.

    AWS writes the same value in several ways (`true` and "true", PARQUET and parquet), and leaves out what is off.
    """
    return tuple(_differences(actual, wanted, ""))


def mapping_differences(actual: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Where the task's table mappings are not `table_mappings()`; ids and names of rules are its own business."""
    is_there = {_rule_text(rule): rule for rule in actual.get("rules", ())}
    should_be = {_rule_text(rule): rule for rule in table_mappings()["rules"]}
    missing = [
        Difference(name=_rule_name(rule), actual=None, wanted=rule)
        for text, rule in should_be.items()
        if text not in is_there
    ]
    added = [
        Difference(name=_rule_name(rule), actual=rule, wanted=None)
        for text, rule in is_there.items()
        if text not in should_be
    ]
    return (*missing, *added)


def _differences(actual: Mapping[str, Any], wanted: Mapping[str, Any], above: str) -> Iterator[Difference]:
    for name, value in wanted.items():
        found = actual.get(name)
        if isinstance(value, Mapping):
            yield from _differences(found if isinstance(found, Mapping) else {}, value, f"{above}{name}.")
        elif not _is_met(name, found, value):
            yield Difference(name=f"{above}{name}", actual=found, wanted=value)


def _is_met(name: str, actual: object, wanted: object) -> bool:
    if isinstance(wanted, bool):
        return (str(actual).lower() in {"true", "y", "1"}) == wanted
    if isinstance(wanted, int):
        try:
            number = int(str(actual))
        except ValueError:
            return False
        return number >= wanted if name in AT_LEAST else number <= wanted if name in AT_MOST else number == wanted
    if name in {"BucketFolder", "BucketName", "TimestampColumnName"}:
        return str(actual or "").strip("/") == wanted
    return str(actual or "").lower() == str(wanted).lower()


def _rule_text(rule: Mapping[str, Any]) -> str:
    """The same for rules that do the same."""
    said = {
        key: value for key, value in rule.items() if key not in {"rule-id", "rule-name"} and value not in (None, [])
    }
    return json.dumps(said, sort_keys=True)


def _rule_name(rule: Mapping[str, Any]) -> str:
    table = rule.get("object-locator", {}).get("table-name", "")
    return f"table mapping: {rule.get('rule-action')} {table}".rstrip()


@dataclass(frozen=True, kw_only=True)
class LongText:
    """The longest value of a text column."""

    table: str
    column: str
    kilobytes: float


def large_columns() -> dict[str, tuple[str, ...]]:
    """By table, the source's columns that DMS carries as limited LOBs; only tables that have one."""
    found = {
        name: tuple(column.name for column in contract.columns if column.source_type == LARGE_TYPE)
        for name, contract in TABLES.items()
    }
    return {name: columns for name, columns in found.items() if columns}


def longest_texts(connection: psycopg.Connection) -> Sequence[LongText]:
    """Of every column that has a value; reads the texts of whole tables once.

    Those longer than LobMaxSize DMS cuts, or stops at.
    """
    from psycopg import sql

    found = []
    for table, columns in large_columns().items():
        lengths = sql.SQL(", ").join(sql.SQL("max(octet_length({}))").format(sql.Identifier(name)) for name in columns)
        query = sql.SQL("SELECT {} FROM {}").format(lengths, sql.Identifier(SOURCE_SCHEMA, table))
        row = connection.execute(query).fetchone() or ()
        found += [
            LongText(table=table, column=column, kilobytes=length / 1024)
            for column, length in zip(columns, row, strict=True)
            if length is not None
        ]
    return found


def without_full_identity(connection: psycopg.Connection) -> Sequence[str]:
    """Tables with texts that lack REPLICA IDENTITY FULL.

    PostgreSQL leaves a large text that an update does not change out of its log; DMS writes NULL for it, and has no
    way to say that it is none. With the full identity the old row brings it.
    """
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p') AND c.relreplident <> 'f'",
        [SOURCE_SCHEMA, list(large_columns())],
    ).fetchall()
    return sorted(row[0] for row in rows)
