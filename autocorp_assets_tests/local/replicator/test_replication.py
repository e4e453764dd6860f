"""Load and changes: raw folds to what the source holds, whatever the source does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pyarrow.parquet as pq

from autocorp_assets.contracts.raw_format import COMMIT_TIME, EXTENSION, OP, SEQUENCE
from autocorp_assets_tests.local.replicator.raw_reader import (
    assert_equal_to_source,
    change_files,
    fold,
    manifests,
    read_raw,
)

SERVICE = "INSERT INTO service VALUES ('{0}', 'Oil', 'Fluids & Filters', 30, {1})"


def test_load_then_changes_equal_the_source(replica, run):
    run(SERVICE.format("a", 1234.56), SERVICE.format("b", -1))
    loaded = replica.catch_up()
    run(
        SERVICE.format("c", 0),
        "UPDATE service SET labor_minutes = NULL WHERE serviceid = 'a'",
        "DELETE FROM service WHERE serviceid = 'b'",
    )
    caught_up = replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert fold(replica.lake, "service")["a"]["labor_cost"] == Decimal("1234.5600")
    assert caught_up.lsn > loaded.lsn
    assert caught_up.generation == loaded.generation == 1
    assert [change[OP] for change in read_raw(replica.lake, "service").changes] == ["I", "U", "D"]


def test_files_have_the_layout_of_dms(replica, run):
    run(SERVICE.format("a", 1))
    replica.catch_up()
    run(SERVICE.format("b", 2))
    replica.catch_up()

    folder = replica.lake / "raw/database/service"
    columns = ["serviceid", "service", "category", "labor_minutes", "labor_cost"]
    assert pq.read_schema(folder / "LOAD00000001.parquet").names == [*columns, COMMIT_TIME, EXTENSION]
    [file] = change_files(replica.lake, "service")
    assert pq.read_schema(file).names == [OP, *columns, COMMIT_TIME, SEQUENCE, EXTENSION]
    [manifest] = manifests(replica.lake)
    assert manifest["tables"]["service"] == {"rows": 1, "files": ["LOAD00000001.parquet"]}
    assert manifest["tables"]["customers"] == {"rows": 0, "files": []}
    assert [path.name for path in (replica.lake / "raw/database/_staging").iterdir()] == ["lock"]
    [change] = read_raw(replica.lake, "service").changes
    assert manifest["start_sequence"] < change[SEQUENCE]
    assert len(change[SEQUENCE]) == 35
    assert file.parent.name == f"day={change[COMMIT_TIME][8:10]}"


def test_a_changed_key_is_a_delete_and_an_insert(replica, run):
    run(SERVICE.format("a", 1))
    replica.catch_up()
    run("UPDATE service SET serviceid = 'z' WHERE serviceid = 'a'")
    replica.catch_up()

    assert [(c[OP], c["serviceid"]) for c in read_raw(replica.lake, "service").changes] == [("D", "a"), ("I", "z")]
    assert_equal_to_source(replica.dsn, replica.lake)


INSERT_LARGE = """
    INSERT INTO auto_parts VALUES ('a', 'Bolt', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) i))
"""


def test_an_unchanged_large_value_is_named_and_not_null(replica, run):
    run(INSERT_LARGE)
    replica.catch_up()
    run("UPDATE auto_parts SET name = 'Nut'")
    replica.catch_up()

    [change] = read_raw(replica.lake, "auto_parts").changes
    assert change["description"] is None
    assert json.loads(change[EXTENSION]) == {"unchanged": ["description"]}
    assert_equal_to_source(replica.dsn, replica.lake)


def test_an_unchanged_large_value_moves_with_its_key(replica, run):
    run(INSERT_LARGE)
    replica.catch_up()
    run("UPDATE auto_parts SET sku = 'b'")
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)


def test_replica_identity_full_fills_in_what_did_not_change(replica, run):
    run("ALTER TABLE auto_parts REPLICA IDENTITY FULL", INSERT_LARGE)
    replica.catch_up()
    run("UPDATE auto_parts SET name = 'Nut'", "DELETE FROM auto_parts")
    replica.catch_up()

    update, delete = read_raw(replica.lake, "auto_parts").changes
    assert update[EXTENSION] is None
    assert len(update["description"]) == 160_000
    assert (delete[OP], delete["name"]) == ("D", "Nut")
    assert_equal_to_source(replica.dsn, replica.lake)


def test_updates_of_one_record_by_many_sessions_end_as_the_last_commit(replica, run):
    run(SERVICE.format("a", 0))
    replica.catch_up()

    def add(_: int) -> None:
        with psycopg.connect(replica.dsn, autocommit=True) as session:
            for _ in range(20):
                session.execute("UPDATE service SET labor_minutes = labor_minutes + 1 WHERE serviceid = 'a'")

    with ThreadPoolExecutor(4) as sessions:
        list(sessions.map(add, range(4)))
    replica.catch_up()

    raw = read_raw(replica.lake, "service")
    by_sequence = sorted(raw.changes, key=lambda change: change[SEQUENCE])
    assert [change["labor_minutes"] for change in by_sequence] == list(range(31, 111))
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_new_column_starts_another_file(replica, run):
    replica.catch_up()
    with psycopg.connect(replica.dsn) as connection:  # one transaction, and so one batch
        connection.execute("INSERT INTO service VALUES ('a')")
        connection.execute("ALTER TABLE service ADD COLUMN bay INT")
        connection.execute("INSERT INTO service (serviceid, bay) VALUES ('b', 7)")
    replica.catch_up()

    before, after = [pq.ParquetFile(file).read().to_pylist() for file in change_files(replica.lake, "service")]
    assert [("bay" in row, row["serviceid"]) for row in before] == [(False, "a")]
    assert [(row["bay"], row["serviceid"]) for row in after] == [(7, "b")]


def test_truncate_is_a_generation_without_rows(replica, run):
    run(SERVICE.format("a", 1), SERVICE.format("b", 1), "INSERT INTO auto_parts VALUES ('p', 'Bolt')")
    replica.catch_up()
    with psycopg.connect(replica.dsn) as connection:
        connection.execute(SERVICE.format("c", 1).encode())
        connection.execute("TRUNCATE service CASCADE")
        connection.execute(SERVICE.format("d", 1).encode())
    replica.catch_up()

    assert list(fold(replica.lake, "service")) == ["d"]
    assert_equal_to_source(replica.dsn, replica.lake)


def test_a_truncation_that_cascades_empties_every_table_that_it_reaches(replica, run):
    run(
        SERVICE.format("a", 1),
        "INSERT INTO service_parts (serviceid, sku) VALUES ('a', 'p')",
        "INSERT INTO auto_parts VALUES ('p', 'Bolt')",
    )
    replica.catch_up()
    with psycopg.connect(replica.dsn) as connection:  # one transaction, and so one batch
        connection.execute("UPDATE service_parts SET quantity = 2")
        connection.execute("TRUNCATE service CASCADE")
        connection.execute(SERVICE.format("b", 1).encode())
        connection.execute("TRUNCATE service CASCADE")
        connection.execute(SERVICE.format("c", 1).encode())
        connection.execute("INSERT INTO service_parts (serviceid, sku) VALUES ('c', 'q')")
    replica.catch_up()

    assert_equal_to_source(replica.dsn, replica.lake)
    assert (list(fold(replica.lake, "service")), len(fold(replica.lake, "service_parts"))) == (["c"], 1)
    assert len([m for m in manifests(replica.lake) if "service_parts" in m["tables"]]) == 3


def test_deletes_that_cascade_are_told_one_by_one(replica, run):
    run(
        "INSERT INTO customers (customer_id, first_name, last_name, email) VALUES (1, 'Ann', 'Lee', 'a@example.com')",
        "INSERT INTO sales_order (order_id, customer_id, order_date, invoice_number) VALUES (1, 1, now(), 'I-1')",
        "INSERT INTO sales_order_parts (line_item_id, order_id, quantity) VALUES (1, 1, 1), (2, 1, 1)",
        "INSERT INTO sales_order_services (line_item_id, order_id) VALUES (7, 1)",
    )
    replica.catch_up()
    run("DELETE FROM sales_order")
    replica.catch_up()

    def deleted(table: str, key: str) -> list[int]:
        return [change[key] for change in read_raw(replica.lake, table).changes if change[OP] == "D"]

    assert deleted("sales_order", "order_id") == [1]
    assert deleted("sales_order_parts", "line_item_id") == [1, 2]
    assert deleted("sales_order_services", "line_item_id") == [7]
    assert_equal_to_source(replica.dsn, replica.lake)


def test_values_that_the_type_cannot_hold_are_kept_as_text(replica, run):
    run("INSERT INTO auto_parts (sku, name, price) VALUES ('load', '', 'NaN')")
    replica.catch_up()
    run("INSERT INTO auto_parts VALUES ('a', '', NULL, 'infinity', NULL, 'NaN')")
    replica.catch_up()

    raw = read_raw(replica.lake, "auto_parts")
    [load], [change] = raw.loads[1], raw.changes
    assert (load["price"], json.loads(load[EXTENSION])) == (None, {"literal": {"price": "NaN"}})
    assert json.loads(change[EXTENSION]) == {"literal": {"inventory_date": "infinity", "price": "NaN"}}
    assert (load["name"], load["description"], change["name"], change["description"]) == ("", None, "", None)


def test_text_arrives_as_it_was_written(replica):
    texts = ["", " ", "''", '"', '""', "a,b", "a\nb\r\nc\r", "\\N", "\\.", "NULL", "\t\x01\x7f", "é", "漢", "\uffff"]
    texts += [chr(plane * 0x10000 + 0x100) for plane in range(17)]

    def insert(prefix: str) -> None:
        with psycopg.connect(replica.dsn) as connection:
            rows = [(f"{prefix}{at}", text, text) for at, text in enumerate(texts)]
            connection.cursor().executemany("INSERT INTO auto_parts (sku, name, description) VALUES (%s, %s, %s)", rows)

    insert("load")
    replica.catch_up()
    insert("change")
    replica.catch_up()

    rows = fold(replica.lake, "auto_parts")
    for at, text in enumerate(texts):
        assert [rows[f"{way}{at}"]["description"] for way in ("load", "change")] == [text, text]
    assert_equal_to_source(replica.dsn, replica.lake)
