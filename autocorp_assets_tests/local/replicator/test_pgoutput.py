"""Messages of protocol version 1, byte by byte as the manual lays them out."""

from __future__ import annotations

import pytest

from autocorp_assets.local.replicator.pgoutput import (
    Absent,
    Begin,
    Commit,
    Delete,
    Insert,
    Relation,
    RelationColumn,
    Truncate,
    Update,
    decode,
)

U = Absent.UNCHANGED
GOLDEN = {
    "begin": (
        b"B\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x02\xf0",
        Begin(commit_lsn=0x1_0000_0002, commit_time=5),
    ),
    "commit": (b"C\x00" + b"\x00" * 7 + b"\x08" + b"\x00" * 7 + b"\x09" + b"\x00" * 8, Commit(end_lsn=9)),
    "relation": (
        b"R\x00\x00\x40\x01public\x00service\x00d\x00\x02"
        b"\x01serviceid\x00\x00\x00\x04\x13\x00\x00\x00\x36"
        b"\x00labor_cost\x00\x00\x00\x03\x16\xff\xff\xff\xff",
        Relation(
            oid=0x4001,
            schema="public",
            table="service",
            is_identity_full=False,
            columns=(
                RelationColumn("serviceid", 1043, 54, is_key=True),
                RelationColumn("labor_cost", 790, -1, is_key=False),
            ),
        ),
    ),
    "insert with a NULL": (b"I\x00\x00\x40\x01N\x00\x02t\x00\x00\x00\x02abn", Insert(0x4001, [b"ab", None])),
    "empty text": (b"I\x00\x00\x40\x01N\x00\x01t\x00\x00\x00\x00", Insert(0x4001, [b""])),
    "update without the old row": (
        b"U\x00\x00\x40\x01N\x00\x02t\x00\x00\x00\x01au",
        Update(0x4001, None, old_is_full=False, new=[b"a", U]),
    ),
    "update of the key": (
        b"U\x00\x00\x40\x01K\x00\x02t\x00\x00\x00\x01anN\x00\x02t\x00\x00\x00\x01bu",
        Update(0x4001, [b"a", None], old_is_full=False, new=[b"b", U]),
    ),
    "update with the whole old row": (
        b"U\x00\x00\x40\x01O\x00\x01t\x00\x00\x00\x01aN\x00\x01t\x00\x00\x00\x01b",
        Update(0x4001, [b"a"], old_is_full=True, new=[b"b"]),
    ),
    "delete": (b"D\x00\x00\x40\x01K\x00\x02t\x00\x00\x00\x01an", Delete(0x4001, [b"a", None])),
    "truncate of two": (b"T\x00\x00\x00\x02\x01\x00\x00\x40\x01\x00\x00\x40\x02", Truncate((0x4001, 0x4002))),
    "type": (b"Y\x00\x00\x40\x09public\x00mood\x00", None),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_message(name):
    data, message = GOLDEN[name]

    assert decode(data) == message


@pytest.mark.parametrize("data", [b"S\x00\x00\x00\x01\x01", b"I\x00\x00\x40\x01N\x00\x01b\x00\x00\x00\x00"])
def test_what_version_1_does_not_have_is_refused(data):
    with pytest.raises(ValueError, match="unknown"):
        decode(data)
