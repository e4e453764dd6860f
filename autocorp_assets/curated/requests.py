"""What an operator may ask of the op `curate` beyond what is new: its config, and jobs whose launchpads hold it."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg
from pydantic import Field

from autocorp_assets.asset_keys import curated_key
from autocorp_assets.checks.curated import check_specs
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.selection import Selection

CURATE = "curate"
"""Name of the op that writes curated tables."""
REPLAY = "replay"
REBUILD = "rebuild"
"""Names of jobs, and of the op's config."""


class ReplayConfig(dg.Config):
    """Raw files to be judged and applied again, beside all that is new; everything newer keeps its place."""

    tables: list[str] = Field(
        default=[], description='Tables, such as ["sales_order"]. May be left empty where feed or files name one.'
    )
    feed: str = Field(
        default="", description='Only files of this feed: "database", or a CSV feed such as "sales_orders".'
    )
    since: str = Field(default="", description='Only files of this day or later, such as "2024-11-18".')
    until: str = Field(default="", description='Only files of this day or earlier, such as "2024-11-20".')
    files: list[str] = Field(
        default=[], description='Only these files, by name or path, such as ["sales_orders-20241121.csv"].'
    )

    def selection(self) -> Selection:
        """Raises SelectionError."""
        return Selection.of_text(
            tables=self.tables, feed=self.feed, since=self.since, until=self.until, files=self.files
        )

    @classmethod
    def of(cls, selection: Selection) -> ReplayConfig:
        return cls(
            tables=list(selection.tables),
            feed=selection.feed or "",
            since=f"{selection.since or ''}",
            until=f"{selection.until or ''}",
            files=list(selection.files),
        )


class RebuildConfig(dg.Config):
    """Tables to be made anew from all that raw has, each in one commit that takes the place of the whole table."""

    tables: list[str] = Field(default=[], description='Tables, such as ["sales_order"].')
    without_missing: bool = Field(
        default=False,
        description="Rebuild also where raw has lost files from which the table was made; their rows are lost then.",
    )


class CurateConfig(dg.Config):
    """What may be set for one run; with nothing set, a run takes in what is new."""

    rebuild: RebuildConfig | None = Field(
        default=None, description="Tables to make anew from raw. Other tables are left alone."
    )

    replay: ReplayConfig | None = Field(
        default=None, description="Raw files to judge again: after a rule was mended, say. Other tables are left alone."
    )


def replay_job(contracts: Iterable[TableContract]) -> dg.UnresolvedAssetJobDefinition:
    """The job whose launchpad asks what to judge again."""
    return dg.define_asset_job(
        REPLAY,
        selection=curated_with_checks(contracts),
        config=curate_config({REPLAY: ReplayConfig().model_dump()}),
        description=(
            "Judge raw files again and apply them, without stopping the stream. In the Launchpad, say which: tables "
            '(`tables: ["sales_order"]` alone is all of its files), a feed (`feed: "sales_orders"`, or `"database"`), '
            'days (`since: "2024-11-18"`, `until: "2024-11-20"`), or files by name. Conditions narrow each other. '
            "The same as `autocorp replay`."
        ),
    )


def rebuild_job(contracts: Iterable[TableContract]) -> dg.UnresolvedAssetJobDefinition:
    """The job whose launchpad asks which tables to make anew."""
    return dg.define_asset_job(
        REBUILD,
        selection=curated_with_checks(contracts),
        config=curate_config({REBUILD: RebuildConfig().model_dump()}),
        description=(
            "Make tables anew from all that raw has, without stopping the stream. In the Launchpad, say which: "
            '`tables: ["sales_order"]`. Readers see the table as it was until one commit takes its place; earlier '
            "versions stay. The same as `autocorp rebuild`."
        ),
    )


def curate_config(config: dict[str, object]) -> dict[str, object]:
    """Run config with this config of the op."""
    return {"ops": {CURATE: {"config": config}}}


def curated_with_checks(contracts: Iterable[TableContract]) -> dg.AssetSelection:
    """The curated tables with the checks that their op makes; checks of whole tables have a schedule of their own."""
    tables = list(contracts)
    checks = [
        dg.AssetCheckKey(curated_key(contract.name), spec.name) for contract in tables for spec in check_specs(contract)
    ]
    keys = dg.AssetSelection.assets(*(curated_key(contract.name) for contract in tables))
    return keys.without_checks() | dg.AssetSelection.checks(*checks)
