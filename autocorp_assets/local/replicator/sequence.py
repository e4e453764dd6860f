"""The order of changes, and of the files that hold them: greater is later, over restarts and clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TIME_DIGITS = 16


class ChangeClock:
    """Gives each change its `dms_change_seq`: 16 digits of commit time, 19 of a counter.

    Commits are told in the order of the log. Their times can run backwards against it (the time is
    taken before the record is written; clocks are set), so the sequence holds the greatest so far.
    """

    def __init__(self, *, time: str, counter: int) -> None:
        self.time = time
        self.counter = counter
        self.commit_time = ""

    def begin(self, commit_time: int) -> None:
        """A transaction starts, committed at so many microseconds since 2000-01-01 UTC."""
        moment = _POSTGRES_EPOCH + timedelta(microseconds=commit_time)
        self.commit_time = commit_text(moment)
        self.time = max(self.time, sequence_time(moment))

    def next(self) -> str:
        """The sequence of the next change."""
        self.counter += 1
        return f"{self.time}{self.counter:019d}"

    @property
    def day_folder(self) -> str:
        """Folder of the current transaction's changes. It follows the sequence, never backwards."""
        return f"year={self.time[:4]}/month={self.time[4:6]}/day={self.time[6:8]}"


def sequence_time(moment: datetime) -> str:
    """yyyyMMddHHmmssff: the time part of a change sequence."""
    return f"{moment:%Y%m%d%H%M%S%f}"[:_TIME_DIGITS]


def commit_text(moment: datetime) -> str:
    """`yyyy-MM-dd HH:mm:ss.SSSSSS`, as DMS writes its TimestampColumnName."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def file_time(moment: datetime) -> str:
    """yyyymmdd-HHMMSSmmm: the time part of a change file's name."""
    return f"{moment:%Y%m%d-%H%M%S%f}"[:-3]
