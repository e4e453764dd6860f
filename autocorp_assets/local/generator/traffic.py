"""Live traffic on a database of the business: inserts, updates and deletes on all of its tables."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import errors
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.generator import business
from autocorp_assets.local.generator.rows import Changes

Deed = Callable[[psycopg.Cursor, random.Random], Changes | None]


@dataclass(frozen=True)
class Habit:
    """How often something happens."""

    deed: Deed
    share: float
    """Times for each new order; at least once in a simulation."""
    prepare: Deed
    """What makes it possible when no row in the database allows it."""


HABITS = (
    Habit(business.change_status, 0.5, business.place_order),
    Habit(business.change_price, 0.1, business.introduce_part),
    Habit(business.welcome_customer, 0.1, business.welcome_customer),
    Habit(business.change_notes, 0.05, business.place_order),
    Habit(business.correct_part_line, 0.03, business.place_mixed_order),
    Habit(business.correct_service_line, 0.03, business.place_mixed_order),
    Habit(business.cancel_order, 0.03, business.place_mixed_order),
    Habit(business.change_email, 0.02, business.welcome_customer),
    Habit(business.move_to_other_month, 0.02, business.place_order),
    Habit(business.leave_long_note, 0.02, business.write_long_note),
    Habit(business.remove_part_line, 0.01, business.place_mixed_order),
    Habit(business.remove_service_line, 0.01, business.place_mixed_order),
    Habit(business.forget_customer, 0.01, business.welcome_customer),
    Habit(business.introduce_part, 0.005, business.introduce_part),
    Habit(business.retire_part, 0.005, business.introduce_part),
    Habit(business.introduce_service, 0.002, business.introduce_part),
    Habit(business.retire_service, 0.002, business.introduce_service),
    Habit(business.change_labor_cost, 0.005, business.introduce_service),
    Habit(business.change_parts_needed, 0.005, business.introduce_service),
    Habit(business.write_long_note, 0.002, business.place_order),
)
FIRST_ORDER = Habit(business.place_mixed_order, 1, business.open_shop)
NEW_ORDER = Habit(business.place_order, 1, business.open_shop)

PATIENCE = Retrying(
    # What another connection does at the same moment: rows that it deleted, or locked in another order.
    retry=retry_if_exception_type((errors.DeadlockDetected, errors.SerializationFailure, errors.ForeignKeyViolation)),
    stop=stop_after_attempt(10),
    wait=wait_random(0, 0.05),
    reraise=True,
)


def simulate(
    dsn: str,
    *,
    orders: int,
    seed: int = 1,
    rate: float | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, int]]:
    """Let the business run until it has `orders` more orders and all that goes with them.

    Keys are read from the database, so simulations can follow each other or run at the same time;
    each one alone decides by its seed.

    Args:
        dsn: a database with the source's schema.
        orders: orders to place; even one brings inserts, updates and deletes to every table.
        seed: of every choice.
        rate: orders a second at most; None for as fast as the database goes.
        stop: set it to end after the current transaction.
        progress: called after each transaction with those done and those to do.

    Returns:
        Committed rows as `{table: {"insert": n, "update": n, "delete": n}}`.
    """
    rng = random.Random(seed)
    stop = stop or threading.Event()
    agenda = _agenda(orders, rng)
    total = Changes()
    started, placed = time.monotonic(), 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        for done, habit in enumerate(agenda, start=1):
            if stop.is_set():
                break
            total += _happen(connection, habit, rng)
            if progress:
                progress(done, len(agenda))
            placed += habit in (FIRST_ORDER, NEW_ORDER)
            if rate:
                stop.wait(max(0.0, started + placed / rate - time.monotonic()))
    return {table: {verb: total[table, verb] for verb in ("insert", "update", "delete")} for table in TABLES}


def _agenda(orders: int, rng: random.Random) -> list[Habit]:
    """One thing after another, the orders spread over the rest; an order with everything comes first."""
    if orders < 1:
        return []
    agenda = [NEW_ORDER] * (orders - 1)
    agenda += [habit for habit in HABITS for _ in range(max(1, round(habit.share * orders)))]
    rng.shuffle(agenda)
    return [FIRST_ORDER, *agenda]


def _happen(connection: psycopg.Connection, habit: Habit, rng: random.Random) -> Changes:
    changes = _commit(connection, habit.deed, rng)
    if changes is not None:
        return changes
    prepared = _commit(connection, habit.prepare, rng) or Changes()
    return prepared + (_commit(connection, habit.deed, rng) or Changes())


def _commit(connection: psycopg.Connection, deed: Deed, rng: random.Random) -> Changes | None:
    def transaction() -> Changes | None:
        with connection.transaction(), connection.cursor() as cursor:
            return deed(cursor, rng)

    return PATIENCE.copy()(transaction)
