"""What the catalogue of Dagster shows about a table, derived from its contract."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import dagster as dg

from autocorp_assets.asset_keys import landing_key, raw_feed_key, raw_table_key, source_key
from autocorp_assets.contracts.model import (
    CHANGE_SEQ,
    CHANGED_AT,
    PARTITION_MONTH,
    RECORD_KEY,
    Between,
    Column,
    ColumnRule,
    CsvFeed,
    Matches,
    NotAfterDelivery,
    NotBefore,
    OneOf,
    References,
    SumsLines,
    SumsTo,
    TableContract,
    TableRule,
    Unique,
)
from autocorp_assets.contracts.raw_format import COMMIT_TIME, SEQUENCE
from autocorp_assets.settings import PROJECT_FOLDER

DATABASE_NAME = "autocorp_lake"
CONTRACTS_FOLDER = PROJECT_FOLDER / "autocorp_assets" / "contracts"


def constraint_text(rule: ColumnRule) -> str:
    """One rule in the words of an analyst."""
    match rule:
        case Between(low=low, high=None):
            text = f"at least {low}"
        case Between(low=None, high=high):
            text = f"at most {high}"
        case Between(low=low, high=high):
            text = f"{low} to {high}"
        case OneOf(values=values):
            text = f"one of: {', '.join(values)}"
        case Matches(pattern=pattern):
            text = f"matches {pattern}"
        case NotBefore(day=day):
            text = f"not before {day}"
        case NotAfterDelivery():
            text = "not after the day on which it was delivered"
    return text


def table_rule_text(rule: TableRule) -> str:
    """One rule over several columns or rows, in the words of an analyst. Names are in backticks."""
    match rule:
        case SumsTo(total=total, parts=parts):
            return f"`{total}` is {' + '.join(f'`{part}`' for part in parts)}, to the cent"
        case SumsLines(total=total, amount=amount, tables=tables):
            lines = " and ".join(f"`{table}`" for table in tables)
            return f"`{total}` is the sum of `{amount}` over its rows in {lines}, to the cent"
        case References(column=column, to_table=table, to_column=to_column):
            return f"`{column}` is a `{to_column}` of `{table}`"
        case Unique(columns=columns):
            return f"no two rows of one source share {' and '.join(f'`{column}`' for column in columns)}"


def column_schema(contract: TableContract, columns: Iterable[Column]) -> dg.TableSchema:
    """Names, types, meaning and constraints of these columns of the table."""
    unique = {rule.columns[0] for rule in contract.rules if isinstance(rule, Unique) and len(rule.columns) == 1}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required,
                    unique=column.name == contract.record_key or column.name in unique,
                    other=[constraint_text(rule) for rule in column.rules],
                ),
                tags={"personal": ""} if column.personal else {},
            )
            for column in columns
        ]
    )


def code_reference(path: Path, *, label: str) -> dg.CodeReferencesMetadataValue:
    """The file of the project in which somebody would change what the asset is."""
    with warnings.catch_warnings():
        # Each load of the code location and each command would say that Dagster calls it beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=str(path), label=label)
        return dg.CodeReferencesMetadataValue(code_references=[reference])


def contract_reference(contract: TableContract) -> dg.CodeReferencesMetadataValue:
    """The module that holds a contract."""
    return code_reference(CONTRACTS_FOLDER / f"{contract.name}.py", label="contract")  # more would be cut off


def csv_schema(feed: CsvFeed, contract: TableContract) -> dg.TableSchema:
    """The columns that a feed's files carry, all of them text."""
    described = {name: contract.column_by_name[feed.table_column[name]] for name in feed.columns}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type="string",
                description=column.description,
                tags={"personal": ""} if column.personal else {},
            )
            for name, column in described.items()
        ]
    )


def zone_tags(zone: str, *, is_personal: bool) -> dict[str, str]:
    """What assets of a zone are found by; `personal-data` marks those that hold some."""
    return {"zone": zone, **({"personal-data": ""} if is_personal else {})}


def try_query(table: str) -> dg.MarkdownMetadataValue:
    """The command that shows some rows."""
    return dg.MetadataValue.md(f'`autocorp query "SELECT * FROM {table} LIMIT 10"`')  # noqa: S608 for a person to run


def feed_lineage(feed: CsvFeed) -> dg.TableColumnLineage:
    """Each column of a delivery comes from the column of the same name in the export."""
    return _lineage({name: [(landing_key(feed.name), name)] for name in feed.columns})


def raw_lineage(contract: TableContract) -> dg.TableColumnLineage:
    """Each raw column comes from the column of the same name in the source."""
    return _lineage({c.name: [(source_key(contract.name), c.name)] for c in contract.columns})


def curated_lineage(contract: TableContract) -> dg.TableColumnLineage:
    """Each curated column comes from the database's column and, under the name there, from the export's.

    What the lake adds comes from the columns that say which change it was, and from the keys.
    """
    table = raw_table_key(contract.name)
    origins = {column.name: [(table, column.name)] for column in contract.columns}
    origins |= {CHANGE_SEQ: [(table, SEQUENCE)], CHANGED_AT: [(table, COMMIT_TIME)]}
    if contract.has_two_systems:
        origins[RECORD_KEY] = [(table, contract.primary_key)]
    if contract.month_of:
        origins[PARTITION_MONTH] = [(table, contract.month_of)]
    if feed := contract.csv_feed:
        for in_file, in_table in feed.table_column.items():
            origins[in_table].append((raw_feed_key(feed.name), in_file))
            if in_table == contract.month_of:
                origins[PARTITION_MONTH].append((raw_feed_key(feed.name), in_file))
        origins[RECORD_KEY] += [(raw_feed_key(feed.name), name) for name in feed.key]
        for derived in feed.derivations:
            origins[derived.target] += [
                (raw_feed_key(feed.name), name) for name in (derived.minuend, derived.subtrahend)
            ]
    return _lineage(origins)


def source_columns(contract: TableContract) -> dict[str, list[str]]:
    """For each curated column, what it is made of in the database and in the exports.

    In words, since the open-source UI shows no lineage of columns.
    """
    return {
        column: sorted({text for dep in deps if (text := _in_source(contract, dep))})
        for column, deps in curated_lineage(contract).deps_by_column.items()
    }


def _in_source(contract: TableContract, dep: dg.TableColumnDep) -> str | None:
    if contract.csv_feed and dep.asset_key == raw_feed_key(contract.csv_feed.name):
        return f"{contract.csv_feed.name}-YYYYMMDD.csv: {dep.column_name}"
    return f"autocorp.public.{contract.name}.{dep.column_name}" if dep.column_name in contract.column_by_name else None


def _lineage(origins: Mapping[str, list[tuple[dg.AssetKey, str]]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=key, column_name=name) for key, name in found]
            for column, found in origins.items()
        }
    )
