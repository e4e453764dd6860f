"""Which columns a table has: its contract's, and those of the source that the contract does not name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autocorp_assets.contracts.model import Column, LakeFormat, TableContract, UnnamedColumn
from autocorp_assets.contracts.raw_format import RAW_COLUMNS
from spark_jobs.lake_types import common, has_route, unnamed_type

if TYPE_CHECKING:
    from spark_jobs.raw_files import RawFiles

_FOREIGN = re.compile(r"[^a-z0-9_]")
_OF_SOURCE = "source_"
_HUDI_WIDENS = {"int": ("bigint", "double", "string"), "bigint": ("string",)}
"""Hudi refuses any other change of a column's type, or keeps the old type and says nothing (seen with 1.0.2)."""


class SchemaError(RuntimeError):
    """What the source sends, the table holds and the contract says cannot be brought together."""


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A column of raw files from which there is no lossless way into the table."""

    column: str
    """Its name in the source."""
    raw_type: str
    wanted: str
    """The lake's type; empty where Spark cannot read the raw one at all."""


def lake_name(source_name: str, contract: TableContract) -> str:
    """Name in the lake of a column that the contract does not name.

    Athena folds names to lower case and knows letters, digits and underscores. A name that is then the
    contract's, the lake's own or a raw file's gets `source_` before it: `Quantity` beside `quantity` is
    `source_quantity`. It depends on the name and the contract alone, so it is the same in every batch.
    """
    name = _FOREIGN.sub("_", source_name.lower())
    taken = {column.name for column in (*contract.columns, *contract.lineage_columns)}
    taken |= {raw.lower() for raw in RAW_COLUMNS}
    return f"{_OF_SOURCE}{name}" if name in taken or not name[:1].isalpha() else name


def shaped(contract: TableContract, stored: Mapping[str, str], files: Iterable[RawFiles]) -> TableContract:
    """The contract together with the columns that it does not name, after its own and the lineage.

    Args:
        contract: the table, as it is written.
        stored: columns of the stored table and their types; empty when there is none.
        files: the raw files of the batch. A column that some of them have is a column of all.

    Raises:
        SchemaError: two columns of the source would have the same name in the lake.
    """
    named = {column.name for column in contract.lake_columns}
    types = {name: of for name, of in stored.items() if name not in named}
    sources: dict[str, str] = {}
    for group in files:
        for source_name, raw_type in group.source_types.items():
            if source_name in contract.column_by_name:
                continue
            name = lake_name(source_name, contract)
            if sources.setdefault(name, source_name) != source_name:
                message = (
                    f"{contract.name}: columns {sources[name]} and {source_name} would both be {name} in the lake "
                    f"(file {group.paths[0]}): rename one of them in the source and reload the table"
                )
                raise SchemaError(message)
            wider = common(types.get(name, unnamed_type(raw_type)), unnamed_type(raw_type))
            if wider and (name not in stored or _can_become(contract.format, stored[name], wider)):
                types[name] = wider
            types.setdefault(name, unnamed_type(raw_type))
    return replace(
        contract,
        unnamed_columns=tuple(
            UnnamedColumn(
                name=name,
                source_type=of,
                source_name=sources.get(name, name),
                lake_type=of,
                description="Not named by the contract.",
            )
            for name, of in types.items()
        ),
    )


def source_names(shape: TableContract) -> dict[str, Column]:
    """The columns that the source feeds, by their names there."""
    return {
        **shape.column_by_name,
        **{column.source_name: column for column in shape.unnamed_columns},
    }


def misfits(shape: TableContract, files: RawFiles) -> list[Misfit]:
    """Columns of these files that the table cannot take without losing something unseen."""
    columns = source_names(shape)
    return [
        *(Misfit(column=name, raw_type=of, wanted="") for name, of in files.unreadable.items()),
        *(
            Misfit(column=name, raw_type=of, wanted=columns[name].type)
            for name, of in files.source_types.items()
            if not has_route(of, columns[name].type)
        ),
    ]


def retyped(shape: TableContract, stored: Mapping[str, str]) -> dict[str, str]:
    """The types that columns of the stored table have to be changed to.

    Raises:
        SchemaError: the table's format cannot change a column so.
    """
    changed = {column.name: column.type for column in shape.lake_columns}
    changed = {name: changed[name] for name, of in stored.items() if changed.get(name, of) != of}
    for name, wanted in changed.items():
        if not _can_become(shape.format, stored[name], wanted):
            message = (
                f"{shape.name}: the table holds column {name} as {stored[name]}, the contract says {wanted}, and "
                f"a {shape.format} table cannot be changed so. Change the contract back, or make the table anew from "
                f"raw: autocorp rebuild {shape.name}"
            )
            raise SchemaError(message)
    return changed


def takes_types(table: LakeFormat, stored: Mapping[str, str], rows: Mapping[str, str]) -> bool:
    """Whether rows of these types can take the place of all that a table holds, in one commit of it."""
    return table is LakeFormat.DELTA or all(_can_become(table, stored.get(name, of), of) for name, of in rows.items())


def _can_become(table: LakeFormat, stored: str, wanted: str) -> bool:
    if table is LakeFormat.HUDI:
        return stored == wanted or wanted in _HUDI_WIDENS.get(stored, ())
    return has_route(stored, wanted)
