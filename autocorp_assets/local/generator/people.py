"""People: the customers of the database are the first of those in the CSV export."""

from __future__ import annotations

import polars as pl

from autocorp_assets.local.generator.draws import below, uniform
from autocorp_assets.local.generator.pools import DOMAINS, pools, slug


def people(count: int, *, seed: int) -> pl.DataFrame:
    """The first `count` people of the world that `seed` makes, by the database's column names.

    E-mail addresses are distinct, lower case and ASCII; the other columns may repeat, and phone and
    address may be NULL.
    """
    known = pools()
    first, last = (
        below(len(names), seed, stream, count)
        for names, stream in ((known.first_names, "first name"), (known.last_names, "last name"))
    )
    return pl.DataFrame(
        {
            "first_name": pl.Series(known.first_names)[first],
            "last_name": pl.Series(known.last_names)[last],
            "first_slug": pl.Series([slug(name) for name in known.first_names])[first],
            "last_slug": pl.Series([slug(name) for name in known.last_names])[last],
            "number": pl.int_range(count, eager=True),
            "domain": pl.Series(DOMAINS)[below(len(DOMAINS), seed, "domain", count)],
            "phone_number": below(10**7, seed, "phone", count),
            "house": below(9899, seed, "house", count) + 100,
            "street": pl.Series(known.streets)[below(len(known.streets), seed, "street", count)],
            "chance": uniform(seed, "gaps", count),
            "city": pl.Series(known.cities)[below(len(known.cities), seed, "city", count)],
            "state": pl.Series(known.states)[below(len(known.states), seed, "state", count)],
            "zip_number": below(99000, seed, "zip", count) + 501,
        }
    ).select(
        "first_name",
        "last_name",
        # The number keeps addresses apart: slugs have letters only.
        pl.format("{}.{}{}@{}", "first_slug", "last_slug", "number", "domain").alias("email"),
        _phone(),
        _address(),
        "city",
        "state",
        pl.col("zip_number").cast(pl.String).str.zfill(5).alias("zip_code"),
    )


def _phone() -> pl.Expr:
    digits = pl.col("phone_number").cast(pl.String).str.zfill(7)
    number = pl.format("(555) {}-{}", digits.str.head(3), digits.str.tail(4))
    return pl.when(pl.col("chance") < 0.97).then(number).alias("phone")


def _address() -> pl.Expr:
    street = pl.format("{} {}", "house", "street")
    flat = pl.format("{}, Apt {}", street, pl.col("house") % 40 + 1)
    return pl.when(pl.col("chance") < 0.8).then(street).when(pl.col("chance") < 0.99).then(flat).alias("address")
