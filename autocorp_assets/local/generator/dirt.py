"""The dirt that CSV exports contain: which kinds there are, how often, and what must become of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocorp_assets.contracts import (
    CUSTOMERS,
    SALES_ORDER,
    SALES_ORDER_PARTS,
    SALES_ORDER_SERVICES,
    TableContract,
)
from autocorp_assets.contracts.sales_order import BUSINESS_BEGAN
from autocorp_assets.local.generator.draws import Integers, generator
from autocorp_assets.local.generator.landing import FileManifest

POSITION = "position"
"""Order of rows in the file; whole numbers for the rows of the clean export."""

DirtRates = Mapping[str, float]
"""Share of a file's rows by kind; a kind that is not named does not occur."""


Rewrite = Callable[[date], list[pl.Expr]]
"""From the file's date to the columns that differ; evaluated over the rows that get this dirt."""


class Treatment(Enum):
    """What the platform must do with a row."""

    QUARANTINE = auto()
    REPAIR = auto()
    ACCEPT = auto()
    """Applied as it is: the value is one that may be missing or written so."""
    SUPERSEDE = auto()
    """The row comes again, later and with other content, which wins."""
    QUARANTINE_EARLIER = auto()
    """As SUPERSEDE, but what was overruled is kept in quarantine: its key should not come again."""
    DROP_DUPLICATE = auto()
    """The row comes again, the same."""

    @property
    def repeats(self) -> bool:
        """Whether the row stays as it is and is written a second time."""
        return self in (Treatment.SUPERSEDE, Treatment.QUARANTINE_EARLIER, Treatment.DROP_DUPLICATE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dirt:
    """One kind of dirt in one table's feed."""

    table: TableContract
    kind: str
    rate: float
    treatment: Treatment
    rewrite: Rewrite
    possible: pl.Expr = field(default_factory=lambda: pl.lit(True))
    """Rows that can have it."""


def _missing(column: str) -> Rewrite:
    return lambda _: [pl.lit(None, dtype=pl.String).alias(column)]


def _turns(variants: list[pl.Expr], *, every: int = 1) -> pl.Expr:
    """The variants, taken in turn over the rows; each for `every` rows."""
    turn = pl.int_range(pl.len()) // every % len(variants)
    return pl.coalesce(*(pl.when(turn == number).then(variant) for number, variant in enumerate(variants)))


def _spaced(*columns: str) -> Rewrite:
    """White space round one of the columns, another one in each row."""
    turn = pl.int_range(pl.len()) % len(columns)
    padded = {
        name: _turns([pl.format(form, name) for form in (" {}", "{}  ", "\t{} ")], every=len(columns))
        for name in columns
    }
    return lambda _: [
        pl.when(turn == number).then(padded[name]).otherwise(name).alias(name) for number, name in enumerate(columns)
    ]


def _wrong_dates(_: date) -> list[pl.Expr]:
    day, month, year = (pl.col("order_date").str.slice(*at) for at in ((8, 2), (5, 2), (0, 4)))
    return [
        _turns(
            [
                pl.format("{}-13-{} 09:30:00", year, day),
                pl.format("{}-02-30 10:00:00", year),
                pl.lit("unknown"),
                pl.format("{}/{}/{}", year, month, day),
                pl.format("{}/{}/{} 14:05", month, day, year),
                pl.format("{}.{}.{}", day, month, year),
                pl.format("{}-{}-{} 25:10:00", year, month, day),
                pl.lit("last Tuesday"),
            ]
        ).alias("order_date")
    ]


def _from_day(first: str | None, step: int) -> Rewrite:
    """Days after (step 1) or before (step -1) the day `first`, or the file's date when that is None."""

    def rewrite(day: date) -> list[pl.Expr]:
        border = pl.lit(date.fromisoformat(first) if first else day)
        shifted = border + pl.duration(days=(1 + pl.int_range(pl.len()) * 37 % 900) * step)
        return [pl.format("{} 11:45:00", shifted.dt.strftime("%Y-%m-%d")).alias("order_date")]

    return rewrite


def _negative(column: str) -> Dirt:
    return Dirt(
        table=SALES_ORDER,
        kind=f"negative_{column}",
        rate=0.0005,
        treatment=Treatment.QUARANTINE,
        rewrite=lambda _: [pl.format("-{}", column).alias(column)],
        possible=pl.col(column) != "0.00",
    )


def _with_commas(table: TableContract, column: str) -> Dirt:
    return Dirt(
        table=table,
        kind="thousands_commas",
        rate=0.0015,
        treatment=Treatment.REPAIR,
        rewrite=lambda _: [pl.col(column).str.replace(r"^(\d+)(\d{3})\.", "${1},${2}.")],
        possible=pl.col(column).str.len_chars() > len("999.99"),
    )


def _with_dollar(table: TableContract, column: str) -> Dirt:
    return Dirt(
        table=table,
        kind="leading_dollar",
        rate=0.0005,
        treatment=Treatment.REPAIR,
        rewrite=lambda _: [pl.format("${}", column).alias(column)],
    )


def _line_dirt(table: TableContract, product: str, amount: str) -> Iterator[Dirt]:
    yield _with_commas(table, "line_total")
    yield _with_dollar(table, amount)
    yield Dirt(
        table=table,
        kind="white_space_round_ids",
        rate=0.001,
        treatment=Treatment.REPAIR,
        rewrite=_spaced("order_id", product),
    )
    yield Dirt(
        table=table,
        kind="zero_quantity",
        rate=0.0003,
        treatment=Treatment.QUARANTINE,
        rewrite=lambda _: [pl.lit("0").alias("quantity")],
    )


def _order(kind: str, rate: float, treatment: Treatment, rewrite: Rewrite) -> Dirt:
    return Dirt(table=SALES_ORDER, kind=kind, rate=rate, treatment=treatment, rewrite=rewrite)


def _customer(kind: str, treatment: Treatment, rewrite: Rewrite, **more: pl.Expr) -> Dirt:
    return Dirt(table=CUSTOMERS, kind=kind, rate=0.0001, treatment=treatment, rewrite=rewrite, **more)


SAMPLED_CUSTOMERS = pl.col(POSITION) < 1_000
"""The first people are those that the database has too."""

# What few rows can have comes first: kinds take their rows in this order.
DIRT: tuple[Dirt, ...] = (
    _with_commas(SALES_ORDER, "total_amount"),
    *(_negative(column) for column in ("subtotal", "tax", "total_amount")),
    _order("customer_id_missing", 0.007, Treatment.QUARANTINE, _missing("customer_id")),
    _order("order_date_missing", 0.0002, Treatment.QUARANTINE, _missing("order_date")),
    _order("invoice_number_missing", 0.0005, Treatment.QUARANTINE, _missing("invoice_number")),
    _order("date_impossible_or_foreign", 0.0008, Treatment.QUARANTINE, _wrong_dates),
    _order("date_in_the_future", 0.001, Treatment.QUARANTINE, _from_day(None, 1)),
    _order("date_before_business_began", 0.0008, Treatment.QUARANTINE, _from_day(BUSINESS_BEGAN, -1)),
    _order("tax_missing", 0.001, Treatment.REPAIR, _missing("tax")),
    _order("subtotal_missing", 0.0003, Treatment.REPAIR, _missing("subtotal")),
    _order("white_space_round_ids", 0.001, Treatment.REPAIR, _spaced("order_id", "customer_id", "invoice_number")),
    _with_dollar(SALES_ORDER, "subtotal"),
    _order("payment_method_missing", 0.002, Treatment.ACCEPT, _missing("payment_method")),
    _order(
        "order_id_repeated",
        0.0001,
        Treatment.QUARANTINE_EARLIER,
        lambda _: [
            pl.when(pl.col("status") == "Refunded")
            .then(pl.lit("Cancelled"))
            .otherwise(pl.lit("Refunded"))
            .alias("status")
        ],
    ),
    _order("row_repeated", 0.0001, Treatment.DROP_DUPLICATE, lambda _: []),
    *_line_dirt(SALES_ORDER_PARTS, "sku", "unit_price"),
    *_line_dirt(SALES_ORDER_SERVICES, "serviceid", "labor_cost"),
    _customer("white_space_round_email", Treatment.REPAIR, _spaced("email"), possible=SAMPLED_CUSTOMERS),
    _customer(
        "email_in_other_case",
        Treatment.ACCEPT,
        lambda _: [pl.col("email").str.to_uppercase()],
        possible=SAMPLED_CUSTOMERS,
    ),
    _customer(
        "email_repeated",
        Treatment.SUPERSEDE,
        lambda _: [pl.format("{} Harbor Street", pl.int_range(pl.len()) + 1).alias("address")],
    ),
    _customer("row_repeated", Treatment.DROP_DUPLICATE, lambda _: []),
)
USUAL_RATES: DirtRates = {dirt.kind: dirt.rate for dirt in DIRT}


def soil(
    clean: pl.DataFrame, table: TableContract, *, day: date, seed: int, rates: DirtRates | None
) -> tuple[pl.DataFrame, FileManifest]:
    """A clean export with dirt in it, and the truth about it.

    Args:
        clean: rows as text, with the columns of the table's feed.
        table: whose feed it is.
        day: date of the file.
        seed: the rows that get dirt depend on it and on the day.
        rates: how often; a kind that is asked for occurs at least once if any row is left for it.

    Raises:
        ValueError: the rates name a kind that does not exist.
    """
    rates = rates or {}
    if unknown := rates.keys() - USUAL_RATES.keys():
        raise ValueError(f"no such dirt: {', '.join(sorted(unknown))}; there is {', '.join(sorted(USUAL_RATES))}")
    feed = table.csv_feed
    if feed is None:
        raise ValueError(f"{table.name} has no CSV export")
    rng = generator(seed, feed.name, day.isoformat())
    rows = clean.with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias(POSITION))
    free = np.ones(rows.height, dtype=bool)
    replaced = np.zeros(rows.height, dtype=bool)
    added, counts = [], {}
    for dirt in (dirt for dirt in DIRT if dirt.table is table and rates.get(dirt.kind, 0) > 0):
        chosen = _choose(rows, dirt, free, wanted=math.ceil(rates[dirt.kind] * rows.height), rng=rng)
        free[chosen] = False
        counts[dirt] = len(chosen)
        replaced[chosen] = not dirt.treatment.repeats
        added.append(_written(rows[chosen], dirt, day=day, end=rows.height, rng=rng))
    text = (
        pl.concat([rows.filter(pl.Series(~replaced)), *added]).sort(POSITION, maintain_order=True).select(feed.columns)
    )
    return text, _manifest(f"{feed.name}-{day:%Y%m%d}.csv", text.height, counts)


def _choose(
    rows: pl.DataFrame, dirt: Dirt, free: NDArray[np.bool_], *, wanted: int, rng: np.random.Generator
) -> Integers:
    """Rows that have no dirt yet and can have this one."""
    possible = rows.select(dirt.possible.alias("possible") & pl.Series(free)).to_series().to_numpy()
    candidates = np.flatnonzero(possible)
    return np.sort(rng.choice(candidates, size=min(wanted, len(candidates)), replace=False, shuffle=False))


def _written(rows: pl.DataFrame, dirt: Dirt, *, day: date, end: int, rng: np.random.Generator) -> pl.DataFrame:
    """The rows as the dirt has them; a repetition lies somewhere between the first occurrence and the end."""
    written = rows.with_columns(dirt.rewrite(day))
    if not dirt.treatment.repeats:
        return written
    position = pl.col(POSITION)
    return written.with_columns(position + (end - position) * pl.Series(1 - rng.random(rows.height)))


def _manifest(file: str, rows: int, counts: Mapping[Dirt, int]) -> FileManifest:
    def treated(*treatments: Treatment) -> dict[str, int]:
        return {dirt.kind: count for dirt, count in counts.items() if count and dirt.treatment in treatments}

    quarantined = treated(Treatment.QUARANTINE, Treatment.QUARANTINE_EARLIER)
    repaired = treated(Treatment.REPAIR)
    duplicates = sum(treated(Treatment.DROP_DUPLICATE).values())
    superseded = sum(treated(Treatment.SUPERSEDE).values())
    return FileManifest(
        file=file,
        rows=rows,
        applied=rows - sum(quarantined.values()) - duplicates - superseded,
        dirt={dirt.kind: count for dirt, count in counts.items() if count},
        quarantined=quarantined,
        repaired=repaired,
        duplicates=duplicates,
        superseded=superseded,
    )
