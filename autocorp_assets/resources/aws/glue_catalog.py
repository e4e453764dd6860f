"""The lake's tables in Glue's Data Catalog, where Athena finds them.

Delta tables are made by Athena's own statement, the documented way to a table of its native reader: it has no columns,
Athena takes them from the table's log (https://docs.aws.amazon.com/athena/latest/ug/delta-lake-tables-getting-started.html).
They do not follow the log from then on, and views need them to: they are changed through Glue's API, which AWS names
as a way (.../delta-lake-tables-syncing-metadata.html) and which, unlike to drop the table and make it anew, leaves no
moment without a table. Hudi tables enter themselves with each commit of the job that changes their columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat, TableContract
from autocorp_assets.query.view_files import VIEW_SCHEMA
from autocorp_assets.resources.aws.athena_ddl import AthenaDdl
from autocorp_assets.resources.aws.deployed_views import DeployedViews, outdated_views
from autocorp_assets.resources.aws.glue_tables import Table, columns_of, tables_of, update_table
from autocorp_assets.resources.ports.catalog import CatalogError, CatalogTable
from autocorp_assets.table_metadata import DATABASE_NAME
from spark_jobs.lake_tables.catalog_sync import SYNC_TOOL, TABLE_PROPERTIES

DELTA_PROPERTY = ("table_type", "DELTA")
HIVE_TYPE = {"timestamp_ntz": "timestamp"}
"""Glue's names of types that Spark SQL has under another; the rest are the same."""


@dataclass(frozen=True, kw_only=True)
class GlueCatalog:
    """Catalog in database `autocorp_lake`; `register` costs one request while nothing has to be done."""

    lake: str
    """URL of the lake's root."""
    ddl: AthenaDdl = field(repr=False)

    def register(self, stored: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
        if not stored:
            return ()
        tables = self._tables()
        done, problems = [], []
        for name, columns in stored.items():
            try:
                done += self._register(TABLES[name], columns, tables.get(name))
            except CatalogError as error:
                problems.append(str(error))
        if problems:
            raise CatalogError("; ".join(problems))
        return done

    def describe(self, tables: Sequence[str]) -> Mapping[str, CatalogTable]:
        """Also complains of the view through which analysts see a table."""
        known = self._tables()
        views = self._outdated_views(known)
        return {name: self._described(TABLES[name], known[name], views) for name in tables if name in known}

    def to_do(self, stored: Mapping[str, Mapping[str, str]], known: Mapping[str, Table]) -> Sequence[str]:
        """What `register` would do for Delta tables, in words.

        Args:
            stored: as for `register`.
            known: what the catalog has now, by name.
        """
        plans = (_what(TABLES[name], columns, known.get(name)) for name, columns in stored.items())
        return [what for what in plans if what]

    def _tables(self) -> dict[str, Table]:
        tables = tables_of(DATABASE_NAME)
        if tables is None:
            raise CatalogError(f"Glue's catalog has no database {DATABASE_NAME}: run `autocorp deploy`, which makes it")
        return tables

    def _register(self, contract: TableContract, columns: Mapping[str, str], table: Table | None) -> list[str]:
        if contract.format is LakeFormat.HUDI:
            if table is None:
                raise CatalogError(
                    f"{contract.name} has not entered itself in {DATABASE_NAME}, so Athena does not know it: see "
                    f"{SYNC_TOOL} in the job's log, and the job role's permissions on Glue's catalog"
                )
            return []
        what = _what(contract, columns, table)
        if what is None:
            return []
        if table is None:
            self.ddl.run(create_statement(contract, self._location(contract)), what=what)
        else:
            self._refuse_other(contract, table)
            update_table(DATABASE_NAME, table, {"StorageDescriptor": _with_columns(table, columns)})
        return [what]

    def _refuse_other(self, contract: TableContract, table: Table) -> None:
        if wrong := [*complaints(contract, table, self._location(contract))]:
            raise CatalogError("; ".join(wrong))

    def _outdated_views(self, known: Mapping[str, Table]) -> frozenset[str]:
        from autocorp_assets.query.athena_views import athena_views

        digests = DeployedViews(ddl=self.ddl).digests() or {}
        tables = {name: columns_of(table) for name, table in known.items()}
        return frozenset(one.view.name for one in outdated_views(athena_views(), digests=digests, tables=tables))

    def _described(self, contract: TableContract, table: Table, outdated: Collection[str]) -> CatalogTable:
        wrong = [*complaints(contract, table, self._location(contract))]
        if contract.name in outdated:
            wrong.append(
                f"view {VIEW_SCHEMA}.{contract.name}, through which analysts see the table, is missing or not of this "
                "release and the table's columns: run `autocorp deploy`"
            )
        is_delta = contract.format is LakeFormat.DELTA
        return CatalogTable(
            columns=columns_of(table),
            remedy=f"run `curated/{contract.name}` once more, which mends it"
            if is_delta
            else f"the job's {SYNC_TOOL} does that with the next commit: see the job's log",
            complaints=tuple(wrong),
        )

    def _location(self, contract: TableContract) -> str:
        return f"{self.lake}/{contract.lake_path}"


def create_statement(contract: TableContract, location: str) -> str:
    """Athena's statement that enters a Delta table; Hive's rules for names and texts hold for it."""
    name, value = DELTA_PROPERTY
    place = location.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{DATABASE_NAME}`.`{contract.name}` "
        f"LOCATION '{place}/' TBLPROPERTIES ('{name}'='{value}')"
    )


def complaints(contract: TableContract, table: Table, location: str) -> Iterator[str]:
    """What keeps Athena from reading the table as it is, apart from its columns."""
    said, full_name = table.get("Parameters", {}), f"{DATABASE_NAME}.{contract.name}"
    found = table.get("StorageDescriptor", {}).get("Location", "")
    again = f"run `DROP TABLE {full_name}` in Athena, which deletes no file, and `autocorp deploy`"
    if found.rstrip("/") != location:
        yield f"{full_name} is catalogued at {found or 'no place'}, and the lake has it at {location}: {again}"
    if contract.format is LakeFormat.DELTA:
        name, value = DELTA_PROPERTY
    else:
        name, _, value = TABLE_PROPERTIES.partition("=")
        again = "see the next run of the job, which enters it anew, and its log"
    if said.get(name, "").lower() != value.lower():
        yield f"{full_name} has {name}={said.get(name, 'nothing')} in the catalogue, not {value}: {again}"


def _what(contract: TableContract, columns: Mapping[str, str], table: Table | None) -> str | None:
    """What has to be done for a Delta table, in words."""
    full_name = f"{DATABASE_NAME}.{contract.name}"
    if table is None:
        return f"table {full_name} is entered in Glue's catalog"
    known, wanted = columns_of(table), glue_columns(columns)
    changed = sorted(name for name in {*known, *wanted} if known.get(name) != wanted.get(name))
    return f"table {full_name} gets its columns {', '.join(changed)} in Glue's catalog" if changed else None


def glue_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """As Glue has them: it writes names in lower case."""
    return {name.lower(): HIVE_TYPE.get(of, of) for name, of in columns.items()}


def _with_columns(table: Table, columns: Mapping[str, str]) -> dict[str, object]:
    named = [{"Name": name, "Type": of} for name, of in glue_columns(columns).items()]
    return {**table.get("StorageDescriptor", {}), "Columns": named}
