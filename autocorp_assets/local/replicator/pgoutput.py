"""Decoder of pgoutput, protocol version 1: bytes of one replication message in, one value out.

The format is that of the PostgreSQL manual, "Logical Replication Message Formats". Values stay the
bytes of PostgreSQL's text output; what they mean is decided by the type of their column.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from struct import Struct
from typing import NamedTuple

_U16 = Struct("!H").unpack_from
_U32 = Struct("!I").unpack_from
_BEGIN = Struct("!QqI").unpack_from
_COMMIT = Struct("!QQq").unpack_from
_TYPE_AND_MODIFIER = Struct("!Ii").unpack_from
_KEY_FLAG = 1
_REPLICA_IDENTITY_FULL = ord("f")


class Absent(Enum):
    """A value that PostgreSQL did not send: large (TOAST), and not changed by the update."""

    UNCHANGED = "unchanged"


Value = bytes | Absent | None
Row = list[Value]


class Begin(NamedTuple):
    """A transaction follows, whole: `commit_lsn` is where its commit record starts."""

    commit_lsn: int
    commit_time: int
    """Microseconds since 2000-01-01 UTC."""


class Commit(NamedTuple):
    end_lsn: int


class RelationColumn(NamedTuple):
    name: str
    type_oid: int
    type_modifier: int
    is_key: bool


class Relation(NamedTuple):
    """Shape of a table, sent before its first change and again whenever it may have changed."""

    oid: int
    schema: str
    table: str
    is_identity_full: bool
    columns: tuple[RelationColumn, ...]


class Insert(NamedTuple):
    relation: int
    new: Row


class Update(NamedTuple):
    relation: int
    old: Row | None
    old_is_full: bool
    new: Row


class Delete(NamedTuple):
    relation: int
    old: Row


class Truncate(NamedTuple):
    relations: tuple[int, ...]
    """Also the tables that CASCADE reached."""


Change = Insert | Update | Delete | Truncate
Message = Begin | Commit | Relation | Change


def decode(data: bytes) -> Message | None:
    """The message, or None for one that carries no row (origin, type, logical message).

    Raises:
        ValueError: the bytes are not of protocol version 1.
    """
    try:
        return _DECODERS[data[:1]](data)
    except KeyError:
        msg = f"unknown pgoutput message {data[:1]!r}"
        raise ValueError(msg) from None


def _begin(data: bytes) -> Begin:
    commit_lsn, commit_time, _transaction = _BEGIN(data, 1)
    return Begin(commit_lsn, commit_time)


def _commit(data: bytes) -> Commit:
    return Commit(_COMMIT(data, 2)[1])


def _insert(data: bytes) -> Insert:
    return Insert(_U32(data, 1)[0], _row(data, 6)[0])


def _update(data: bytes) -> Update:
    relation, kind = _U32(data, 1)[0], data[5:6]
    if kind == b"N":
        return Update(relation, None, False, _row(data, 6)[0])
    old, end = _row(data, 6)
    return Update(relation, old, kind == b"O", _row(data, end + 1)[0])


def _delete(data: bytes) -> Delete:
    return Delete(_U32(data, 1)[0], _row(data, 6)[0])


def _truncate(data: bytes) -> Truncate:
    count = _U32(data, 1)[0]
    return Truncate(tuple(_U32(data, 6 + 4 * index)[0] for index in range(count)))


def _row(data: bytes, at: int) -> tuple[Row, int]:
    """The values from `at` on, and where they end."""
    count = _U16(data, at)[0]
    at += 2
    row: Row = []
    for _ in range(count):
        kind = data[at]
        if kind == 0x74:  # t: text
            start = at + 5
            at = start + _U32(data, at + 1)[0]
            row.append(data[start:at])
            continue
        if kind == 0x6E:  # n: NULL
            row.append(None)
        elif kind == 0x75:  # u: unchanged TOAST
            row.append(Absent.UNCHANGED)
        else:
            msg = f"unknown kind of value {chr(kind)!r} in a pgoutput row"
            raise ValueError(msg)
        at += 1
    return row, at


def _relation(data: bytes) -> Relation:
    schema, at = _name(data, 5)
    table, at = _name(data, at)
    identity, (count,) = data[at], _U16(data, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        flags = data[at]
        name, at = _name(data, at + 1)
        type_oid, modifier = _TYPE_AND_MODIFIER(data, at)
        columns.append(RelationColumn(name, type_oid, modifier, bool(flags & _KEY_FLAG)))
        at += 8
    return Relation(_U32(data, 1)[0], schema, table, identity == _REPLICA_IDENTITY_FULL, tuple(columns))


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _nothing(data: bytes) -> None:  # noqa: ARG001
    return None


_DECODERS: dict[bytes, Callable[[bytes], Message | None]] = {
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
    b"O": _nothing,
    b"Y": _nothing,
    b"M": _nothing,
}
