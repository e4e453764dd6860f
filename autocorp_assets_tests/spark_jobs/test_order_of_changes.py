"""For any history, however it is cut into files, in whatever order they arrive and whenever the table is curated:
once all files have arrived, the table is what the history in order makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given, settings

from autocorp_assets.contracts import TABLES
from autocorp_assets_tests.spark_jobs.histories import Event, File, History, histories, moment
from spark_jobs.change_seq import generation_text
from spark_jobs.checkpoint import Checkpoint
from spark_jobs.plan import ChangeFile, LoadManifest, TablePlan, advance, pending

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
        """Plan from what has arrived until then, as the platform does, and apply the plan."""
        changes = [change_file(file) for file in self.history.files if file.arrives <= minute]
        firsts = {file.name: min(event.sequence for event in file.events) for file in self.history.files}
        manifests = [manifest for manifest in self._manifests() if manifest.completed <= minute]
        plan = pending(
            TABLE,
            commit=None,
            checkpoint=self.checkpoint,
            manifests=[manifest.load for manifest in manifests],
            changes=changes,
            deliveries=(),
            listed_at=moment(minute),
            first_sequences=firsts,
        )
        if not plan.is_empty:
            self._apply(plan)

    def _manifests(self) -> list[Arrived]:
        first = LoadManifest(
            generation=1,
            start_sequence="1".ljust(35, "0"),
            started_at=moment(0),
            files=("LOAD00000001.parquet",),
            rows=1,
        )
        reload = self.history.reload
        if reload is None:
            return [Arrived(first, 0)]
        second = LoadManifest(
            generation=2,
            start_sequence=reload.start_sequence,
            started_at=moment(reload.started),
            files=("LOAD00000002.parquet",),
            rows=1,
        )
        return [Arrived(first, 0), Arrived(second, reload.arrives)]

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
            rows = self.history.loaded if generation == 1 else self.history.reload.rows  # type: ignore[union-attr]
            change_seq = (generation_text(generation), LOAD_SEQUENCE)
            return [(change_seq, Event("I", key, 0, 0, *value)) for key, value in rows.items()]
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


@dataclass(frozen=True)
class Arrived:
    load: LoadManifest
    completed: int


def change_file(file: File) -> ChangeFile:
    return ChangeFile(path=f"{moment(file.named):year=%Y/month=%m/day=%d}/{file.name}", modified=moment(file.arrives))


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
    (Event("I", 0, 1, 0, 1, "old"), Event("U", 0, 2, 90, 2, "new"), Event("U", 0, 3, 90, 3)),
    *((0, 1, 0), (1, 2, 90), (0, 1, 91), (2, 3, 92), (2, 3, 93)),
    runs=(0, 91, 92, 93),
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
