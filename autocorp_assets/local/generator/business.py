"""What happens in the business in one transaction: an order is placed, a price changes, a customer moves.

Each deed reads the keys that exist, locks the row that it changes, and returns the rows that it
inserted, updated and deleted by table; None when the database has no row that it could happen to.
An order is always locked before its lines, so that deeds of several connections do not deadlock.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import LiteralString

import psycopg
from psycopg import sql

from autocorp_assets.contracts.sales_order import BUSINESS_BEGAN, ORDER_TYPES, PAYMENT_METHODS
from autocorp_assets.contracts.service import CATEGORIES
from autocorp_assets.local.generator.orders import PAYMENT_WEIGHTS, STATUSES, TECHNICIANS
from autocorp_assets.local.generator.pools import DOMAINS, pools, slug
from autocorp_assets.local.generator.rows import (
    FOR_REFERENCE,
    NOW,
    Changes,
    delete,
    insert,
    next_key,
    pick,
    salt,
    update,
    value,
)

TAX_RATE = Decimal("0.08")
CENT = Decimal("0.01")
TYPE_WEIGHTS = (45, 15, 40)
NOTES = ("Customer called again.", 'Zahlt später, "Rechnung folgt"', "Warranty, part on back order 🔧", "", None)


def place_order(
    cursor: psycopg.Cursor, rng: random.Random, *, kind: str | None = None, lines: int | None = None
) -> Changes | None:
    """A customer orders parts, services or both, at today's prices."""
    customer = pick(cursor, rng, "customers", lock=FOR_REFERENCE)
    kind = kind or rng.choices(ORDER_TYPES, TYPE_WEIGHTS)[0]
    parts = _parts_wanted(cursor, rng, lines) if kind != "Service" else []
    services = _services_wanted(cursor, rng, lines) if kind != "Parts" else []
    if customer is None or not (parts or services):
        return None
    order_id = next_key(cursor, "sales_order")
    ordered = _now()
    subtotal = sum((line["line_total"] for line in (*parts, *services)), Decimal(0))
    tax = (subtotal * TAX_RATE).quantize(CENT, ROUND_HALF_UP)
    header = {
        "order_id": order_id,
        "customer_id": customer,
        "order_date": ordered,
        "invoice_number": f"INV-{ordered.year}-{order_id:06d}",
        "payment_method": rng.choices(PAYMENT_METHODS, PAYMENT_WEIGHTS)[0],
        "subtotal": subtotal,
        "tax": tax,
        "total_amount": subtotal + tax,
        "order_type": kind,
        "notes": rng.choice((None, None, *NOTES)),
    }
    return (
        insert(cursor, "sales_order", [header])
        + insert(cursor, "sales_order_parts", [{"order_id": order_id, **line} for line in parts])
        + insert(cursor, "sales_order_services", [{"order_id": order_id, **line} for line in services])
    )


def place_mixed_order(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """An order with several lines of both kinds."""
    return place_order(cursor, rng, kind="Mixed", lines=3)


def cancel_order(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Delete an order; its lines go with it."""
    order_id = pick(cursor, rng, "sales_order")
    if order_id is None:
        return None
    changes = Changes({("sales_order", "delete"): 1})
    for table in ("sales_order_parts", "sales_order_services"):
        count = sql.SQL("SELECT count(*) FROM {} WHERE order_id = %s").format(sql.Identifier(table))
        changes[table, "delete"] = value(cursor, count, [order_id])
    cursor.execute("DELETE FROM sales_order WHERE order_id = %s", [order_id])
    return changes


def change_status(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return update(cursor, "sales_order", pick(cursor, rng, "sales_order"), status=rng.choice(STATUSES))


def change_notes(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return update(cursor, "sales_order", pick(cursor, rng, "sales_order"), notes=rng.choice(NOTES))


def write_long_note(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """A note that PostgreSQL stores out of line."""
    dump = "Scan tool dump:\n" + rng.randbytes(4_000).hex(" ", 16)
    return update(cursor, "sales_order", pick(cursor, rng, "sales_order"), notes=dump)


def leave_long_note(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Update an order and not its long note: the change stream then does not carry the note."""
    order_id = pick(cursor, rng, "sales_order", where=sql.SQL("pg_column_size(t.notes) > 2100"))
    return update(cursor, "sales_order", order_id, status=rng.choice(STATUSES))


def move_to_other_month(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Correct an order's date to the middle of another month."""
    order_id = pick(cursor, rng, "sales_order")
    if order_id is None:
        return None
    month = value(cursor, "SELECT order_date FROM sales_order WHERE order_id = %s", [order_id])
    began = datetime.fromisoformat(BUSINESS_BEGAN)
    # 31 days back is another month, so that its middle is not in the future.
    days = (_now() - began).days - 31
    middles = ((began + timedelta(days=day)).replace(day=15, hour=12) for day in range(30, days, 30))
    others = [middle for middle in middles if (middle.year, middle.month) != (month.year, month.month)]
    return update(cursor, "sales_order", order_id, order_date=rng.choice(others))


def correct_part_line(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return _correct_line(cursor, rng, "sales_order_parts", "%(quantity)s * unit_price")


def correct_service_line(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return _correct_line(cursor, rng, "sales_order_services", "%(quantity)s * labor_cost + coalesce(parts_cost, 0)")


def remove_part_line(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return _remove_line(cursor, rng, "sales_order_parts")


def remove_service_line(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return _remove_line(cursor, rng, "sales_order_services")


def welcome_customer(cursor: psycopg.Cursor, rng: random.Random) -> Changes:
    known = pools()
    customer_id = next_key(cursor, "customers")
    first, last = rng.choice(known.first_names), rng.choice(known.last_names)
    customer = {
        "customer_id": customer_id,
        "first_name": first,
        "last_name": last,
        "email": f"{slug(first)}.{slug(last)}.c{customer_id}@{rng.choice(DOMAINS)}",
        "phone": rng.choice((None, "", f"(555) {rng.randrange(1000):03d}-{rng.randrange(10_000):04d}")),
        "address": f"{rng.randrange(1, 9_999)} {rng.choice(known.streets)}",
        "city": rng.choice(known.cities),
        "state": rng.choice(known.states),
        "zip_code": f"{rng.randrange(501, 99_999):05d}",
    }
    return insert(cursor, "customers", [customer])


def change_email(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    customer_id = pick(cursor, rng, "customers")
    email = f"moved.{rng.getrandbits(32):08x}.c{customer_id}@{rng.choice(DOMAINS)}"
    return update(cursor, "customers", customer_id, email=email)


def forget_customer(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Delete a customer who never ordered."""
    never_ordered = sql.SQL("NOT EXISTS (SELECT FROM sales_order o WHERE o.customer_id = t.customer_id)")
    return delete(cursor, "customers", pick(cursor, rng, "customers", where=never_ordered))


def introduce_part(cursor: psycopg.Cursor, rng: random.Random) -> Changes:
    # The transaction's number makes a key that no other run and no other connection uses.
    part = {
        "sku": f"NEW-{value(cursor, 'SELECT pg_current_xact_id()::text')}",
        "name": rng.choice(('Wiper Blade, 24"', "Ölfilter", "Brake Pad Set", "LED Bulb 💡")),
        "inventory_date": _now().date(),
        "vendor": rng.choice((None, "Bosch", "Müller & Söhne GmbH")),
        "price": _dollars(rng, 900),
    }
    return insert(cursor, "auto_parts", [part])


def open_shop(cursor: psycopg.Cursor, rng: random.Random) -> Changes:
    """What the first order of an empty database needs."""
    return welcome_customer(cursor, rng) + introduce_part(cursor, rng) + (introduce_service(cursor, rng) or Changes())


def change_price(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """A new price; a long description stays as it is."""
    return update(cursor, "auto_parts", pick(cursor, rng, "auto_parts"), price=_dollars(rng, 900))


def retire_part(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Delete a part that no service needs and nobody ever bought."""
    unused = sql.SQL(
        "NOT EXISTS (SELECT FROM service_parts p WHERE p.sku = t.sku)"
        " AND NOT EXISTS (SELECT FROM sales_order_parts l WHERE l.sku = t.sku)"
    )
    return delete(cursor, "auto_parts", pick(cursor, rng, "auto_parts", where=unused))


def introduce_service(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """A new service and the parts that it needs."""
    skus = [sku for sku, _, _ in _parts_on_offer(cursor, rng, rng.randrange(2, 6))]
    if not skus:
        return None
    serviceid = f"NEW-{value(cursor, 'SELECT pg_current_xact_id()::text')}"
    service = {
        "serviceid": serviceid,
        "service": rng.choice(("Hybrid Battery Check", "Frühjahrs-Check", "Track Day Inspection")),
        "category": rng.choice(CATEGORIES),
        "labor_minutes": 15 * rng.randrange(1, 33),
        "labor_cost": _dollars(rng, 2_500),
    }
    recipe = [{"serviceid": serviceid, "sku": sku} for sku in skus]
    return insert(cursor, "service", [service]) + insert(cursor, "service_parts", recipe)


def change_labor_cost(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return update(cursor, "service", pick(cursor, rng, "service"), labor_cost=_dollars(rng, 2_500))


def retire_service(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    """Delete a service that was never performed, with its list of parts."""
    unused = sql.SQL(
        "NOT EXISTS (SELECT FROM sales_order_services l WHERE l.serviceid = t.serviceid)"
        " AND EXISTS (SELECT FROM service_parts p WHERE p.serviceid = t.serviceid)"
    )
    serviceid = pick(cursor, rng, "service", where=unused)
    if serviceid is None:
        return None
    parts = cursor.execute("DELETE FROM service_parts WHERE serviceid = %s", [serviceid]).rowcount
    changes = delete(cursor, "service", serviceid) or Changes()
    changes["service_parts", "delete"] = parts
    return changes


def change_parts_needed(cursor: psycopg.Cursor, rng: random.Random) -> Changes | None:
    return update(cursor, "service_parts", pick(cursor, rng, "service_parts"), quantity=rng.randrange(1, 9))


def _parts_wanted(cursor: psycopg.Cursor, rng: random.Random, lines: int | None) -> list[dict]:
    many = 51 + rng.randrange(10) if rng.random() < 0.003 else rng.choices(range(1, 6), (45, 25, 15, 10, 5))[0]
    return [
        {
            "part_id": rng.choice((None, rng.randrange(1, 10**6))),
            "sku": sku,
            "part_description": name[:200],
            "quantity": (quantity := rng.choices((1, 2, 3, 4), (60, 25, 10, 5))[0]),
            "unit_price": price,
            "line_total": price * quantity,
        }
        for sku, name, price in _parts_on_offer(cursor, rng, lines or many)
    ]


def _parts_on_offer(cursor: psycopg.Cursor, rng: random.Random, count: int) -> list[tuple[str, str, Decimal]]:
    return cursor.execute(
        "SELECT sku, name, price FROM auto_parts WHERE price IS NOT NULL ORDER BY md5(sku || %s) LIMIT %s",
        [salt(rng), count],
    ).fetchall()


def _services_wanted(cursor: psycopg.Cursor, rng: random.Random, lines: int | None) -> list[dict]:
    offered = cursor.execute(
        "SELECT serviceid, service, coalesce(labor_minutes, 30), coalesce(labor_cost::numeric, 99)::numeric(10, 2)"
        " FROM service ORDER BY md5(serviceid || %s) LIMIT %s FOR KEY SHARE SKIP LOCKED",
        [salt(rng), lines or rng.choices((1, 2, 3), (85, 12, 3))[0]],
    ).fetchall()
    return [
        {
            "serviceid": serviceid,
            "service_description": service,
            "quantity": (quantity := rng.choices((1, 2), (92, 8))[0]),
            "labor_minutes": minutes * quantity,
            "labor_cost": labor_cost,
            "parts_cost": (parts_cost := _dollars(rng, 300)),
            "line_total": labor_cost * quantity + parts_cost,
            "vehicle_id": f"VEH-{rng.randrange(10**6):06d}",
            "technician_id": f"TECH-{rng.randrange(TECHNICIANS) + 1:03d}",
            "service_status": rng.choice(("Completed", "In Progress", None)),
        }
        for serviceid, service, minutes, labor_cost in offered
    ]


def _correct_line(
    cursor: psycopg.Cursor, rng: random.Random, table: LiteralString, total: LiteralString
) -> Changes | None:
    """Another quantity on one line, and the amounts of the order to match."""
    order_id, line = _pick_line(cursor, rng, table, at_least=1)
    if line is None:
        return None
    statement = sql.SQL("UPDATE {} SET quantity = %(quantity)s, line_total = {} WHERE line_item_id = %(line)s")
    cursor.execute(
        statement.format(sql.Identifier(table), sql.SQL(total)), {"quantity": rng.randrange(1, 9), "line": line}
    )
    _add_up(cursor, order_id)
    return Changes({(table, "update"): 1, ("sales_order", "update"): 1})


def _remove_line(cursor: psycopg.Cursor, rng: random.Random, table: LiteralString) -> Changes | None:
    """Take one of several lines off an order, and correct the order's amounts."""
    order_id, line = _pick_line(cursor, rng, table, at_least=2)
    changes = delete(cursor, table, line)
    if changes is not None:
        _add_up(cursor, order_id)
        changes["sales_order", "update"] += 1
    return changes


def _pick_line(
    cursor: psycopg.Cursor, rng: random.Random, table: LiteralString, *, at_least: int
) -> tuple[int | None, int | None]:
    lines = sql.SQL("(SELECT count(*) FROM {} l WHERE l.order_id = t.order_id) >= {}").format(
        sql.Identifier(table), sql.Literal(at_least)
    )
    order_id = pick(cursor, rng, "sales_order", where=lines)
    if order_id is None:
        return None, None
    keys = cursor.execute(
        sql.SQL("SELECT line_item_id FROM {} WHERE order_id = %s ORDER BY line_item_id").format(sql.Identifier(table)),
        [order_id],
    ).fetchall()
    return order_id, rng.choice(keys)[0]


def _add_up(cursor: psycopg.Cursor, order_id: int | None) -> None:
    cursor.execute(
        f"""
        UPDATE sales_order
        SET subtotal = lines.amount, tax = round(lines.amount * %(rate)s, 2),
            total_amount = lines.amount + round(lines.amount * %(rate)s, 2), updated_at = {NOW}
        FROM (SELECT coalesce(sum(line_total), 0) AS amount
              FROM (SELECT line_total FROM sales_order_parts WHERE order_id = %(order)s
                    UNION ALL SELECT line_total FROM sales_order_services WHERE order_id = %(order)s) AS every) AS lines
        WHERE order_id = %(order)s
        """,  # noqa: S608 - NOW is a constant
        {"rate": TAX_RATE, "order": order_id},
    )


def _dollars(rng: random.Random, most: int) -> Decimal:
    """An amount; PostgreSQL casts it to money exactly, whatever its locale."""
    return Decimal(rng.randrange(199, most * 100)) / 100


def _now() -> datetime:
    """The time in UTC, as the source's columns without a time zone have it."""
    return datetime.now(UTC).replace(tzinfo=None)
