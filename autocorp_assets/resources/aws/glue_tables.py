"""Databases and tables of Glue's Data Catalog, in few requests."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.ports.catalog import CatalogError

PAGE_TABLES = 100
"""The most that one answer holds, by the service's model."""
OF_TABLE_INPUT = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
)
"""What of the shape Table is in TableInput, too; the rest is Glue's own and refused by it."""

Table = Mapping[str, Any]
"""Glue's shape."""


def tables_of(database: str) -> dict[str, Table] | None:
    """All tables and views by name, in a request for each hundred; None when there is no such database.

    Raises:
        CatalogError: Glue cannot be asked.
    """
    glue = client("glue")
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database, PaginationConfig={"PageSize": PAGE_TABLES})
    with told(f"database {database} of Glue's catalog cannot be read"):
        try:
            return {table["Name"]: table for page in pages for table in page["TableList"]}
        except glue.exceptions.EntityNotFoundException:
            return None


def columns_of(table: Table) -> dict[str, str]:
    """Columns and their types, those of partitions last."""
    columns = [*table.get("StorageDescriptor", {}).get("Columns", ()), *table.get("PartitionKeys", ())]
    return {column["Name"]: column.get("Type", "") for column in columns}


def create_database(name: str, description: str) -> None:
    """Also when it is there already.

    Raises:
        CatalogError: Glue refuses.
    """
    glue = client("glue")
    with told(f"database {name} of Glue's catalog cannot be made"):
        try:
            glue.create_database(DatabaseInput={"Name": name, "Description": description})
        except glue.exceptions.AlreadyExistsException:
            return


def table_named(database: str, name: str) -> Table:
    """One table.

    Raises:
        CatalogError: it is not there, or Glue cannot be asked.
    """
    with told(f"{database}.{name} cannot be read in Glue's catalog"):
        return client("glue").get_table(DatabaseName=database, Name=name)["Table"]


def update_table(database: str, table: Table, changes: Mapping[str, Any]) -> None:
    """Give a table of the catalog other values, without keeping the former ones as a version.

    Raises:
        CatalogError: Glue refuses, such as when somebody else changes it at the same time.
    """
    kept = {name: table[name] for name in OF_TABLE_INPUT if name in table}
    with told(f"{database}.{table['Name']} cannot be changed in Glue's catalog"):
        client("glue").update_table(DatabaseName=database, TableInput={**kept, **changes}, SkipArchive=True)


@contextmanager
def told(what: str) -> Generator[None]:
    """Botocore's errors as CatalogError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise CatalogError(f"{what}: {explain(error)}") from error
