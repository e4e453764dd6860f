"""What a release needs in the account beside the infrastructure: databases, tables, views and the job's code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import LakeFormat
from autocorp_assets.deployments.aws import aws_catalog
from autocorp_assets.lake.snapshots import TableNotReadable, read_snapshot
from autocorp_assets.query.athena_views import athena_views
from autocorp_assets.query.view_files import VIEW_SCHEMA
from autocorp_assets.resources.aws.deployed_views import DeployedViews, OutdatedView, outdated_views
from autocorp_assets.resources.aws.glue_catalog import glue_columns
from autocorp_assets.resources.aws.glue_code import CodeError, is_published, publish, zip_name
from autocorp_assets.resources.aws.glue_tables import columns_of, create_database, tables_of
from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.settings import Settings
from autocorp_assets.table_metadata import DATABASE_NAME

DATABASES = {
    DATABASE_NAME: "AutoCorp's tables as they are stored, with where each row comes from.",
    VIEW_SCHEMA: "AutoCorp's tables and views for analysts.",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change."""

    what: str
    """Is done by it, in words."""
    do: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the account differs from the release."""

    steps: tuple[Step, ...]
    """In the order in which they have to be done."""
    waiting: tuple[str, ...]
    """What cannot be done yet, and for what it waits."""
    problems: tuple[str, ...]
    """What is wrong with files of the release, and so cannot be done at all."""
    unknown: tuple[str, ...]
    """Views that no release of now has: somebody's own, or of an earlier one. They stay."""


def plan_deployment(settings: Settings) -> Plan:
    """Compare only.

    Args:
        settings: of the aws deployment.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    catalog = aws_catalog(settings)
    views = DeployedViews(ddl=catalog.ddl)
    known, digests = tables_of(DATABASE_NAME), views.digests()
    missing = [name for name, found in ((DATABASE_NAME, known), (VIEW_SCHEMA, digests)) if found is None]
    delta, waiting = _delta_tables(settings)
    entries = [
        Step(what=what, do=lambda one=name: catalog.register({one: delta[one]}))
        for name in delta
        for what in catalog.to_do({name: delta[name]}, known or {})
    ]
    tables = {name: columns_of(table) for name, table in (known or {}).items()}
    tables |= {name: glue_columns(columns) for name, columns in delta.items()}
    wanted = athena_views()
    outdated = [*outdated_views(wanted, digests=digests or {}, tables=tables)]
    return Plan(
        steps=(
            *_code(settings),
            *(Step(what=f"database {name} is made", do=lambda one=name: _make_database(one)) for name in missing),
            *entries,
            *(_view_step(views, one) for one in outdated if not one.lacking and not one.view.error),
        ),
        waiting=(*waiting, *(_wait(one) for one in outdated if one.lacking)),
        problems=tuple(f"view {VIEW_SCHEMA}.{view.name}: {view.error}" for view in wanted if view.error),
        unknown=tuple(sorted({*(digests or ())} - {view.name for view in wanted})),
    )


def carry_out(plan: Plan, *, on_progress: Progress) -> tuple[str, ...]:
    """Do all steps, and tell of each that is done; why what could not be done was not."""
    problems = [*plan.problems]
    for step in plan.steps:
        try:
            step.do()
        except (CatalogError, CodeError) as error:
            problems.append(str(error))
        else:
            on_progress(step.what)
    return tuple(problems)


def _code(settings: Settings) -> Iterator[Step]:
    if not is_published(settings):
        yield Step(what=f"the job's code {zip_name()} is put below {settings.lake}", do=lambda: publish(settings))


def _make_database(name: str) -> None:
    create_database(name, DATABASES[name])


def _delta_tables(settings: Settings) -> tuple[dict[str, Mapping[str, str]], list[str]]:
    """Columns of those that exist, and why others cannot be read."""
    columns: dict[str, Mapping[str, str]] = {}
    unreadable = []
    for name, contract in TABLES.items():
        if contract.format is not LakeFormat.DELTA:
            continue
        try:
            snapshot = read_snapshot(settings.lake, contract)
        except TableNotReadable as error:
            unreadable.append(str(error))
            continue
        if snapshot is not None:
            columns[name] = snapshot.columns
    return columns, unreadable


def _view_step(views: DeployedViews, outdated: OutdatedView) -> Step:
    verb = "replaced" if outdated.is_there else "made"
    return Step(what=f"view {VIEW_SCHEMA}.{outdated.view.name} is {verb}", do=lambda: views.make(outdated))


def _wait(outdated: OutdatedView) -> str:
    return f"view {VIEW_SCHEMA}.{outdated.view.name} waits for {outdated.lacking}: run this again then"
