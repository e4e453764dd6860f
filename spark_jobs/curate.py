"""Glue job and local subprocess: brings every planned table up to date in one Spark session.

Input over Dagster Pipes: extras `plan` = {"run_id", "lake", "tables": [TablePlan]}. Output over
Pipes, for each table, a materialisation of `curated/<table>` or the custom message
{"table", "error", "file"}. The exit code is 0 when every table was reported, good or bad.
"""

from __future__ import annotations

import re
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from dagster_pipes import PipesContext
from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession

from autocorp_assets.contracts import TABLES
from spark_jobs.curation import Curation, TableReport
from spark_jobs.pipes import open_pipes
from spark_jobs.plan import TablePlan

_RAW_PATH = re.compile(r"\braw/(?:database|csv)/[^\s'\":,)]+[^\s'\":,.)]")
_JAVA_FRAME = re.compile(r"^\s*(at |\.\.\. \d+ more)")
_REASON_CHARACTERS = 2_000


def main() -> None:
    """Runs the plan that Dagster sent."""
    with open_pipes() as pipes:
        request = pipes.extras["plan"]
        plans = [TablePlan.from_dict(value) for value in request["tables"]]
        started = time.monotonic()
        spark = SparkSession.builder.appName("autocorp curate").getOrCreate()
        pipes.log.info(f"Spark {spark.version} started in {time.monotonic() - started:.1f} s")
        # Tables are independent and small ones leave the cores idle: several at a time.
        with ThreadPoolExecutor(max_workers=min(len(plans), spark.sparkContext.defaultParallelism * 2)) as pool:
            for plan in plans:
                pool.submit(_curate, pipes, spark, plan, request)
        spark.stop()


def _curate(pipes: PipesContext, spark: SparkSession, plan: TablePlan, request: dict[str, Any]) -> None:
    """One table; its failure is told and does not reach the others."""
    try:
        curation = Curation(
            # A session of its own: MERGE takes its commit's metadata from the session.
            spark=spark.newSession(),
            contract=TABLES[plan.table],
            lake=request["lake"],
            run_id=request["run_id"],
            announce=pipes.log.info,
        )
        report = curation.run(plan)
    except Exception as error:  # noqa: BLE001 any failure of a table is that table's result
        reason = reason_of(error)
        file = _RAW_PATH.search(reason)
        traceback.print_exc()
        pipes.log.error(f"{plan.table}: {reason}")
        pipes.report_custom_message(
            {"table": plan.table, "error": reason[:_REASON_CHARACTERS], "file": file[0] if file else None}
        )
    else:
        pipes.report_asset_materialization(
            asset_key=f"curated/{plan.table}", metadata=metadata(report), data_version=report.commit
        )


def reason_of(error: Exception) -> str:
    """What the operator is told of a table's failure."""
    reason = without_frames(str(error))
    # py4j says only that nobody answers.
    is_driver = isinstance(error, Py4JNetworkError | ConnectionError)
    return f"Spark's driver has died, most often of too little memory ({reason})" if is_driver else reason


def without_frames(message: str) -> str:
    """A JVM's message and its causes, each once, without their stack frames: those are in the log."""
    lines = (line.removeprefix("Caused by: ") for line in message.splitlines() if not _JAVA_FRAME.match(line))
    return "\n".join(dict.fromkeys(lines))


def metadata(report: TableReport) -> dict[str, Any]:
    """What Dagster shows of a materialisation; numbers are plotted over time."""
    # A row of an export carries the date in the file's name, which says nothing of how late it is.
    changes = (account.newest_change for account in report.accounts if account.is_of_database)
    newest = max(filter(None, changes), default=None)
    totals = {
        f"rows_{outcome}": sum(account.total(outcome) for account in report.accounts)
        for outcome in ("read", "applied", "unchanged", "superseded", "duplicate", "quarantined")
    }
    return {
        **totals,
        "rows_repaired": sum(sum(file.repairs.values()) for file in report.files),
        "rows_upserted": report.upserted,
        "rows_deleted": report.deleted,
        "commit": report.commit,
        "high_water": report.checkpoint.high_water,
        "files": {"raw_value": [asdict(file) for file in report.files], "type": "json"},
        "unknown_columns": {"raw_value": list(report.unknown_columns), "type": "json"},
        "seconds": report.seconds,
        **({"lag_seconds": time.time() - newest.timestamp()} if newest else {}),
    }


if __name__ == "__main__":
    main()
