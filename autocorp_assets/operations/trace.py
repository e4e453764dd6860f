"""Where a row came from and everything that happened to it: raw's versions, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    CHANGED_AT,
    RAW_FILE,
    KeyForm,
    LakeFormat,
    SourceSystem,
    TableContract,
)
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.row_versions import Version, raw_history, sought_key
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.operations.row_fates import Circumstances, StoredRow, TracedVersion, judge
from autocorp_assets.settings import Settings

HUDI_COMMIT = "_hoodie_commit_time"


@dataclass(frozen=True, kw_only=True)
class TracedRecord:
    """One record: its versions, oldest first, and how the lake has it."""

    record_key: str
    versions: tuple[TracedVersion, ...]
    stored: StoredRow | None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All records that a key names."""

    table: str
    key: str
    records: tuple[TracedRecord, ...]
    unreadable: Mapping[str, str]
    """Raw files that could not be searched, and why."""


def trace(settings: Settings, table: str, key: str) -> Trace:
    """Scans raw for a key, and looks up what the lake and quarantine have of it.

    Args:
        settings: of the deployment.
        table: the table.
        key: a primary key, the key of the table's CSV feed, or a record key such as `db:12`.
    """
    lake = LakeStorage(settings.lake)
    contract = TABLES[table]
    sought = sought_key(contract, key)
    stored = {row.record_key: row for row in _stored_rows(settings, contract, sought.record_keys(contract))}
    history = raw_history(lake, contract, sought)
    circumstances = _circumstances(lake, contract, history.versions)
    by_record = {
        record: list(versions) for record, versions in groupby(history.versions, lambda version: version.record_key)
    }
    return Trace(
        table=table,
        key=key,
        records=tuple(
            TracedRecord(
                record_key=record,
                versions=tuple(judge(by_record.get(record, []), stored.get(record), circumstances)),
                stored=stored.get(record),
            )
            for record in [*by_record, *(record for record in stored if record not in by_record)]
        ),
        unreadable=history.unreadable,
    )


def _circumstances(lake: LakeStorage, contract: TableContract, versions: Sequence[Version]) -> Circumstances:
    plan = lake.pending_plans([contract.name])[contract.name]
    kept_out = (
        Quarantine(lake, contract).rows(
            files=sorted({version.file for version in versions}),
            positions=sorted({version.position for version in versions}),
        )
        if versions
        else []
    )
    deliveries = [version for version in versions if version.system is SourceSystem.CSV]
    has_lines = contract.csv_feed is not None and contract.csv_feed.key_form is KeyForm.LINE
    return Circumstances(
        contract=contract,
        generation=plan.next_generation,
        pending=frozenset(file.path for file in plan.files if not file.replay),
        quarantined={(row.file, row.position): row.reasons for row in kept_out},
        newest_delivery=max(deliveries, key=lambda version: version.order).file if has_lines and deliveries else None,
    )


def _stored_rows(settings: Settings, contract: TableContract, keys: Sequence[str]) -> list[StoredRow]:
    from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

    if not keys:
        return []
    commit = HUDI_COMMIT if contract.format is LakeFormat.HUDI else "NULL"
    key = f"CAST({contract.record_key} AS VARCHAR)"
    conditions = " OR ".join(f"starts_with({key}, ?)" if known.endswith(":") else f"{key} = ?" for known in keys)
    found = LakeQuery(settings.lake).run(
        f"SELECT {key}, {CHANGE_SEQ}, CAST({CHANGED_AT} AS VARCHAR), {RAW_FILE}, {commit} "  # noqa: S608 contracts' names
        f"FROM {LAKE_SCHEMA}.{contract.name} WHERE {conditions} ORDER BY 1",
        parameters=keys,
    )
    names = ("record_key", "change_seq", "changed_at", "raw_file", "commit")
    return [StoredRow(**dict(zip(names, row, strict=True))) for row in found.rows()]


def shown_values(version: Version, contract: TableContract, *, personal: bool) -> dict[str, Any]:
    """The version's values, the personal ones masked unless asked for, and so those that the contract does not name."""
    from autocorp_assets.lake.quarantine import MASK

    def is_open(name: str) -> bool:
        column = contract.column_by_name.get(name)
        return personal or (column is not None and not column.personal)

    return {name: value if value is None or is_open(name) else MASK for name, value in version.values.items()}
