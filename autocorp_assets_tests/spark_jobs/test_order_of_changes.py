"""For any history, however it is cut into files, in whatever order they arrive and whenever the table is curated:
once all files have arrived, the table is what the history in order makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import TableContract
from autocorp_assets.lake.snapshots import read_head
from autocorp_assets_tests.spark_jobs.histories import Event, File, History, histories, moment
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change
from spark_jobs.change_seq import generation_text
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.pending import pending
from spark_jobs.plan import ChangeFile, LoadManifest, TablePlan, advance

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = TABLES["sales_order_parts"]
LOAD_SEQUENCE = "0" * 35


@dataclass
class Row:
    change_seq: tuple[str, str]
    value: tuple[int, str]


@dataclass
class Model:
    """A table that, like Hudi, guards stored rows by their change_seq and forgets what it deletes."""

    history: History
    checkpoint: Checkpoint | None = None
    rows: dict[int, Row] = field(default_factory=dict)
    accounted: dict[str, int] = field(default_factory=dict)

    def run(self, minute: int) -> None:
        plan = plan_at(minute, self.history, TABLE, commit=None, checkpoint=self.checkpoint)
        if not plan.is_empty:
            self._apply(plan)

    def _apply(self, plan: TablePlan) -> None:
        rows = [(file, *row) for file in plan.files for row in self._rows(plan, file.name)]
        rows = [row for row in rows if not row[0].replay or row[1][1] >= plan.refold_sequence]
        is_reload = plan.opens_generation and plan.checkpoint.generation > 0
        if not is_reload:
            touched = {event.key for file, _, event in rows if not file.replay}
            rows = [row for row in rows if not row[0].replay or row[2].key in touched]
        by_key: dict[int, list[tuple[tuple[str, str], Event]]] = {}
        for _, change_seq, event in rows:
            by_key.setdefault(event.key, []).append((change_seq, event))
        current = generation_text(plan.next_generation)
        seen = set()
        for key, changes in by_key.items():
            changes.sort(key=lambda change: change[0])
            change_seq, last = changes[-1]
            if change_seq[0] == current:
                seen.add(key)
                self._merge(key, change_seq, last, [event for _, event in changes])
        if is_reload:
            self.rows = {key: row for key, row in self.rows.items() if key in seen}
        for file in plan.files:
            if not file.replay:
                assert file.name not in self.accounted, "a file is accounted for twice"
                self.accounted[file.name] = 1
        sequences = [change_seq[1] for _, change_seq, _ in rows if change_seq[1] != LOAD_SEQUENCE]
        self.checkpoint = advance(plan, contract_version="v", refused={}, high_sequence=max(sequences, default=""))

    def _rows(self, plan: TablePlan, name: str) -> list[tuple[tuple[str, str], Event]]:
        if name.startswith("LOAD"):
            generation = int(name[4:12], 16)
            change_seq = (generation_text(generation), LOAD_SEQUENCE)
            return [
                (change_seq, Event("I", key, 0, 0, *value))
                for key, value in loaded_rows(self.history, generation).items()
            ]
        events = next(file.events for file in self.history.files if file.name == name)
        return [((self._generation(plan, event.sequence), event.sequence), event) for event in events]

    def _generation(self, plan: TablePlan, sequence: str) -> str:
        return generation_text(max([number for number, start in plan.load_starts if sequence >= start], default=0))

    def _merge(self, key: int, change_seq: tuple[str, str], last: Event, changes: list[Event]) -> None:
        stored = self.rows.get(key)
        if stored is not None and stored.change_seq > change_seq:
            return
        if last.op == "D":
            self.rows.pop(key, None)
            return
        texts = [event.text for event in changes if event.op != "D" and event.text is not None]
        text = texts[-1] if texts else stored.value[1] if stored else ""
        self.rows[key] = Row(change_seq, (last.quantity, text))


def plan_at(
    minute: int, history: History, contract: TableContract, *, commit: str | None, checkpoint: Checkpoint | None
) -> TablePlan:
    """The plan from what of a history has arrived by then."""
    arrived = [file for file in history.files if file.arrives <= minute]
    return pending(
        contract,
        commit=commit,
        checkpoint=checkpoint,
        manifests=manifests(history, minute),
        changes=[ChangeFile(path=change_path(file), modified=moment(file.arrives)) for file in arrived],
        deliveries=(),
        listed_at=moment(minute),
        first_sequences={file.name: min(event.sequence for event in file.events) for file in arrived},
    )


def manifests(history: History, minute: int) -> list[LoadManifest]:
    loads = [(1, "1".ljust(35, "0"), 0, 0)]
    if history.reload:
        loads.append((2, history.reload.start_sequence, history.reload.started, history.reload.arrives))
    return [
        LoadManifest(
            generation=generation,
            start_sequence=start,
            started_at=moment(started),
            files=(f"LOAD{generation:08X}.parquet",) if (rows := loaded_rows(history, generation)) else (),
            rows=len(rows),
        )
        for generation, start, started, arrives in loads
        if arrives <= minute
    ]


def change_path(file: File) -> str:
    return f"{moment(file.named):year=%Y/month=%m/day=%d}/{file.name}"


def loaded_rows(history: History, generation: int) -> dict[int, tuple[int, str]]:
    return history.loaded if generation == 1 or history.reload is None else history.reload.rows


def told(events: tuple[Event, ...], *files: tuple[int, int, int], runs: tuple[int, ...]) -> History:
    """Files given as (first event, end, minute of name and arrival)."""
    return History(
        loaded={},
        events=events,
        files=tuple(
            File(named=minute, arrives=minute, part=part, events=events[start:end])
            for part, (start, end, minute) in enumerate(files)
        ),
        runs=runs,
    )


SENT_AGAIN_AFTER_ITS_DELETE = told(
    (Event("I", 0, 1, 0, 1, "text"), Event("D", 0, 2, 0)), (0, 2, 0), (0, 1, 100), runs=(0, 101)
)
OUTDATED_TEXT_SENT_AGAIN = told(
    (Event("I", 0, 1, 0, 1, "old"), Event("U", 0, 2, 1, 2, "new"), Event("U", 0, 3, 90, 3)),
    *((0, 1, 0), (1, 2, 1), (0, 1, 91), (2, 3, 92), (2, 3, 93)),
    runs=(1, 91, 92, 93),
)
"""The newest change, sent twice, leaves the text alone; of the older ones only an outdated copy may be read with it."""


@given(histories())
@example(SENT_AGAIN_AFTER_ITS_DELETE)
@example(OUTDATED_TEXT_SENT_AGAIN)
@settings(max_examples=800, deadline=None)
def test_plans_bring_every_table_to_the_state_of_its_history(history: History):
    model = Model(history)
    for minute in history.runs:
        model.run(minute)

    assert {key: row.value for key, row in model.rows.items()} == history.final_state()
    assert {name for name in model.accounted if not name.startswith("LOAD")} == {file.name for file in history.files}


@pytest.mark.spark
@given(history=histories(keys=16, shortest=40, longest=60))
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_real_tables_end_in_the_state_of_their_history(
    either_format: str, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, history: History
):
    table, contract = either_format, TABLES[either_format]
    lake = Lake(tmp_path_factory.mktemp("lake"), spark)
    key = contract.primary_key
    for generation in (1, 2):
        rows = loaded_rows(history, generation)
        lake.raw.load(
            table,
            [{key: number, "quantity": quantity, "sku": text} for number, (quantity, text) in rows.items()],
            generation=generation,
        )
    for file in history.files:
        lake.raw.put(table, change_path(file), [as_change(event, key) for event in file.events])
    accounted = []

    for minute in history.runs:
        head = read_head(lake.root, contract)
        plan = plan_at(
            minute,
            history,
            contract,
            commit=head.commit if head else None,
            checkpoint=head.checkpoint if head else None,
        )
        if not plan.is_empty:
            accounted += lake.curate(table, plan).files

    stored = {number: values for number, *values in lake.rows(table, key, "quantity", "sku").values()}
    assert stored == {number: list(values) for number, values in history.final_state().items()}
    assert sorted(file.file.rsplit("/", 1)[-1] for file in accounted if "LOAD" not in file.file) == sorted(
        file.name for file in history.files
    )
    for file in accounted:
        assert file.read == file.applied + file.unchanged + file.superseded + file.duplicate + file.quarantined


def as_change(event: Event, key: str) -> Change:
    """The event as the source sends it: a delete has its key alone, an update may leave the text out."""
    if event.op == "D":
        return Change("D", int(event.sequence), {key: event.key})
    row = {key: event.key, "quantity": event.quantity, "sku": event.text}
    return Change(event.op, int(event.sequence), row, unchanged=() if event.text else ("sku",))
