"""Histories of changes as hypothesis draws them: cut into files, sent, sent again, loaded; and their outcome.

Nothing here knows how the platform works: `final_state` is what a table must hold in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import strategies as st

BEGAN = datetime(2024, 11, 21, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One change of one key. Its sequence is its place in the history, and carries its time."""

    op: str
    key: int
    number: int
    minute: int
    quantity: int = 0
    text: str | None = None
    """The large value; None where an update left it unchanged."""

    @property
    def sequence(self) -> str:
        return f"{moment(self.minute):%Y%m%d%H%M%S}00{self.number:019d}"


@dataclass(frozen=True)
class File:
    """A change file: named at one time, and there from another on."""

    named: int
    arrives: int
    part: int
    events: tuple[Event, ...]

    @property
    def name(self) -> str:
        return f"{moment(self.named):%Y%m%d-%H%M%S}000-{self.part:010d}-00.parquet"


@dataclass(frozen=True)
class Reload:
    """A load in the midst of the stream: each row as it was at some moment after the load began."""

    start_sequence: str
    started: int
    arrives: int
    rows: dict[int, tuple[int, str]]


@dataclass(frozen=True)
class History:
    """Loaded rows, what happened to them, and how it is told. Values are (quantity, text) by key."""

    loaded: dict[int, tuple[int, str]]
    events: tuple[Event, ...]
    files: tuple[File, ...]
    runs: tuple[int, ...]
    """Minutes at which the table is curated; the last is after everything has arrived."""
    reload: Reload | None = field(default=None)

    def final_state(self) -> dict[int, tuple[int, str]]:
        return fold(self.loaded, self.events)


def moment(minute: int) -> datetime:
    return BEGAN + timedelta(minutes=minute)


def fold(rows: dict[int, tuple[int, str]], events: tuple[Event, ...]) -> dict[int, tuple[int, str]]:
    """The rows after these events in order."""
    state = dict(rows)
    for event in events:
        if event.op == "D":
            state.pop(event.key, None)
        else:
            text = event.text if event.text is not None else state[event.key][1]
            state[event.key] = (event.quantity, text)
    return state


@st.composite
def histories(draw: st.DrawFn, *, keys: int = 2, shortest: int = 0, longest: int = 12) -> History:
    """A history of changes of `keys` keys, in any division, order of arrival and rhythm of runs."""
    loaded = {key: (100 + key, f"load {key}") for key in range(keys) if draw(st.booleans())}
    events = draw(_events(loaded, keys, draw(st.integers(shortest, longest))))
    files = draw(_files(events))
    reload = draw(_reload(loaded, events, files)) if events and draw(st.booleans()) else None
    last = max([0, *(file.arrives for file in files), *([reload.arrives] if reload else [])])
    runs = draw(st.lists(st.integers(0, last), max_size=5))
    return History(loaded=loaded, events=events, files=files, runs=(*sorted(runs), last + 1, last + 2), reload=reload)


@st.composite
def _events(draw: st.DrawFn, loaded: dict[int, tuple[int, str]], keys: int, count: int) -> tuple[Event, ...]:
    alive = set(loaded)
    minute = 0
    events = []
    for number in range(1, count + 1):
        minute += draw(st.sampled_from((0, 1, 25)))
        key = draw(st.integers(0, keys - 1))
        op = draw(st.sampled_from("UUD")) if key in alive else "I"
        text = None if op == "D" or (op == "U" and draw(st.booleans())) else f"text {number}"
        (alive.discard if op == "D" else alive.add)(key)
        events.append(Event(op, key, number, minute, quantity=number, text=text))
    return tuple(events)


@st.composite
def _files(draw: st.DrawFn, events: tuple[Event, ...]) -> tuple[File, ...]:
    """Consecutive changes share a file, and some stretches are sent once more, later."""
    cuts = sorted({0, len(events), *draw(st.lists(st.integers(0, len(events)), max_size=6))})
    stretches = [(start, end, end) for start, end in pairwise(cuts)]
    for _ in range(draw(st.integers(0, 3)) if events else 0):
        start = draw(st.integers(0, len(events) - 1))
        end = draw(st.integers(start + 1, len(events)))
        stretches.append((start, end, draw(st.integers(end, len(events)))))
    # A file is named after all that happened until it was flushed; a stretch that is sent again, later still.
    stretches.sort(key=lambda stretch: stretch[2])
    named, files = 0, []
    for part, (start, end, told) in enumerate(stretches):
        named = max([named, *(event.minute for event in events[:told])])
        arrives = named + draw(st.sampled_from((0, 1, 40, 200)))
        files.append(File(named=named, arrives=arrives, part=part, events=events[start:end]))
    return tuple(files)


@st.composite
def _reload(
    draw: st.DrawFn, loaded: dict[int, tuple[int, str]], events: tuple[Event, ...], files: tuple[File, ...]
) -> Reload:
    """Begins before some change; each row is read at a moment of its own from then on (tables of one snapshot are
    the case in which all are the same)."""
    first = draw(st.integers(0, len(events) - 1))
    keys = {*loaded, *(event.key for event in events)}
    read_at = {key: draw(st.integers(first, len(events))) for key in sorted(keys)}
    states = {key: fold(loaded, events[:at]) for key, at in read_at.items()}
    started = min(file.named for file in files if any(event.number > first for event in file.events))
    return Reload(
        start_sequence=events[first].sequence,
        started=started,
        arrives=started + draw(st.sampled_from((0, 1, 60))),
        rows={key: state[key] for key, state in states.items() if key in state},
    )
