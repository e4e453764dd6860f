"""Stands in for spark_jobs/curate.py: real Pipes, real Delta commits, no Spark.

What becomes of each table is told through the Spark configuration: `good` (the default), `bad`,
`broken_row`, `miscount`, `silent`, `die` or `die_once`.
"""

import json
import os
import signal
import sys
from pathlib import Path

import polars as pl
from dagster_pipes import PipesContext, open_dagster_pipes
from deltalake import CommitProperties

from autocorp_assets.contracts import TABLES
from spark_jobs.checkpoint import delta_user_metadata
from spark_jobs.plan import TablePlan, advance


def main() -> None:
    behaviour = json.loads(os.environ["AUTOCORP_SPARK_CONF"])
    with open_dagster_pipes() as pipes:
        request = pipes.extras["plan"]
        for plan in map(TablePlan.from_dict, request["tables"]):
            curate(pipes, plan, Path(request["lake"]), behaviour.get(plan.table, "good"))


def curate(pipes: PipesContext, plan: TablePlan, lake: Path, how: str) -> None:
    if how == "bad":
        pipes.report_custom_message({"table": plan.table, "error": "column price is text", "file": plan.files[0].path})
        return
    if how == "silent":
        return
    if how == "die" or (how == "die_once" and not (lake / "died").exists()):
        (lake / "died").touch()
        sys.stderr.write("java.lang.OutOfMemoryError: Java heap space\n")
        os.kill(os.getpid(), signal.SIGKILL)
    commit, rows = write(plan, lake, price=-1 if how == "broken_row" else None)
    file = {"file": plan.files[0].path, "read": rows + (how == "miscount"), "applied": rows}
    pipes.report_asset_materialization(
        asset_key=f"curated/{plan.table}",
        data_version=commit,
        metadata={
            "rows_read": rows,
            "rows_applied": rows,
            "rows_upserted": rows,
            "rows_deleted": 0,
            "rows_quarantined": 0,
            "commit": commit,
            "files": {"raw_value": [file], "type": "json"},
        },
    )


def write(plan: TablePlan, lake: Path, *, price: int | None) -> tuple[str, int]:
    contract = TABLES[plan.table]
    raw = pl.concat([pl.read_parquet(lake / file.path) for file in plan.files])
    rows = raw.select(column.name for column in contract.columns).with_columns(
        pl.lit("0").alias("change_seq"),
        pl.lit("2026-01-02").str.to_datetime("%Y-%m-%d", time_zone="UTC").alias("changed_at"),
        pl.lit(plan.files[0].path).alias("raw_file"),
        *([] if price is None else [pl.lit(price).cast(raw.schema["price"]).alias("price")]),
    )
    checkpoint = advance(plan, contract_version=contract.version, refused={})
    rows.write_delta(
        lake / contract.lake_path,
        mode="append",
        delta_write_options={
            "commit_properties": CommitProperties(custom_metadata={"userMetadata": delta_user_metadata(checkpoint)})
        },
    )
    return "0", rows.height


if __name__ == "__main__":
    main()
    sys.exit(0)
