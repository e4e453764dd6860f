"""The views: one op asks the query engine whether each answers, and tells what it found."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from autocorp_assets.asset_keys import view_key
from autocorp_assets.lake.versions import TableNotReadable
from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.view_files import VIEW_SCHEMA, VIEWS_FOLDER, view_files
from autocorp_assets.resources.ports.catalog import CatalogError
from autocorp_assets.resources.ports.query import Query
from autocorp_assets.resources.ports.views import Views, ViewsOutcome
from autocorp_assets.views.specs import view_spec

ROWS = "view_rows"
"""Name of the column in which a view is counted, next to its own."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a view came to when it was asked."""

    rows: int
    types: dict[str, str]
    """The engine's types of its columns, in their order."""
    seconds: float
    absent: tuple[str, ...]
    """Tables below it that do not exist yet; they count as empty."""


def ask(query: Query, view: str) -> Answer:
    """Counts a view's rows and names its columns, in one query.

    Raises:
        QueryError: the view is broken.
        TableNotReadable: a table below it cannot be read.
    """
    whole = f"{VIEW_SCHEMA}.{view}"
    result = query.run(
        f"SELECT n.{ROWS}, v.* FROM (SELECT count(*) AS {ROWS} FROM {whole}) AS n "  # noqa: S608 a file's name
        f"LEFT JOIN (SELECT * FROM {whole} LIMIT 0) AS v ON true"
    )
    ((rows, *_),) = result.rows()
    return Answer(
        rows=rows,
        types=dict(zip(result.columns[1:], result.types[1:], strict=True)),
        seconds=result.seconds,
        absent=result.absent,
    )


def view_assets(*, condition: dg.AutomationCondition, folder: Path = VIEWS_FOLDER) -> dg.AssetsDefinition:
    """All views of a folder as one multi-asset, any part of which can be run."""
    files = view_files(folder)

    @dg.multi_asset(
        name="ask_views",
        specs=[view_spec(file, files, condition=condition) for file in files],
        can_subset=True,
        description="Have each view be as its file says, and ask it for its columns and the number of its rows. A view "
        "that is broken fails alone.",
    )
    def ask_views(
        context: dg.AssetExecutionContext, query: dg.ResourceParam[Query], views: dg.ResourceParam[Views]
    ) -> Iterator[dg.MaterializeResult]:
        selected = [file.name for file in files if view_key(file.name) in context.selected_asset_keys]
        brought = _bring(context, views, selected)
        broken = {name: why for name, why in brought.failed.items() if name in selected}
        for name in selected:
            if name in broken or name in brought.waiting:
                continue
            try:
                answer = ask(query, name)
            except (QueryError, TableNotReadable) as error:
                broken[name] = str(error)
                continue
            context.log.info(f"{name}: {answer.rows:,} rows in {answer.seconds:.2f} s")
            yield dg.MaterializeResult(asset_key=view_key(name), metadata=_metadata(name, folder, answer))
        if broken:
            raise _failure(broken, of=len(selected))

    return ask_views


def _bring(context: dg.AssetExecutionContext, views: Views, names: list[str]) -> ViewsOutcome:
    try:
        brought = views.bring(names)
    except CatalogError as error:
        # They may be there all the same: asking them tells.
        context.log.warning(f"the views could not be compared with their files: {error}")
        return ViewsOutcome()
    if brought.made:
        context.log.info(f"made anew: {', '.join(brought.made)}")
    for name, why in brought.waiting.items():
        context.log.info(f"{name} waits for {why}")
    for name, why in brought.failed.items():
        context.log.error(f"{name} could not be made: {why}")
    return brought


def _metadata(name: str, folder: Path, answer: Answer) -> dict[str, Any]:
    # Imported here: sqlglot takes a fifth of the time in which Dagster itself loads.
    from autocorp_assets.views.columns import column_lineage, column_schema, columns_of, made_of

    try:
        columns = columns_of(name, folder)
    except QueryError:  # the engine knows better: it has answered
        columns = ()
    return {
        "dagster/row_count": answer.rows,
        "dagster/column_schema": column_schema(answer.types, columns),
        "dagster/column_lineage": column_lineage(columns),
        **({"columns_are_made_of": made_of(columns, folder)} if columns else {}),
        "columns": len(answer.types),
        "seconds": round(answer.seconds, 3),
        **({"tables_that_do_not_exist_yet": list(answer.absent)} if answer.absent else {}),
    }


def _failure(broken: dict[str, str], *, of: int) -> dg.Failure:
    return dg.Failure(
        description="\n".join(
            [
                f"{len(broken)} of {of} views do not answer; the others do.",
                *(f"- {name}: {error}" for name, error in broken.items()),
                "Correct the file in queries/views, or the contract whose column it names.",
            ]
        ),
        metadata={"errors": dict(broken)},
        allow_retries=False,
    )
