"""Pools of names and places from which people are put together.

Faker fills the pools once; the rows of large files only pick from them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from faker import Faker

NAME_LOCALES = ("en_US", "en_US", "en_US", "es_MX", "de_DE", "pl_PL", "fr_FR", "tr_TR", "vi_VN")
UNUSUAL_FIRST_NAMES = ("Zoë", "Mary-Jane", "D'Andre", "José María", "Łucja", "Nguyễn", "美咲", "😀 Joy")
# Beyond the basic multilingual plane: four bytes in UTF-8, a surrogate pair in the JVM.
UNUSUAL_LAST_NAMES = ("O'Brien", "García-Núñez", "Smith, Jr.", 'de la "Cruz"', "Ångström", "𠮷田", "𩸽", "Şahin")
DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")


@dataclass(frozen=True)
class Pools:
    """Distinct values, in an order that does not change."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    states: tuple[str, ...]


@cache
def pools() -> Pools:
    """The same pools for every seed, so that they are made once a process (0.3 s)."""
    faker = Faker(sorted(set(NAME_LOCALES)))
    faker.seed_instance(20210607)
    american = faker["en_US"]
    return Pools(
        first_names=_distinct([faker[locale].first_name() for _ in range(150) for locale in NAME_LOCALES])
        + UNUSUAL_FIRST_NAMES,
        last_names=_distinct([faker[locale].last_name() for _ in range(200) for locale in NAME_LOCALES])
        + UNUSUAL_LAST_NAMES,
        streets=_distinct([american.street_name() for _ in range(1500)]),
        cities=_distinct([american.city() for _ in range(800)]),
        states=_distinct([american.state_abbr(include_territories=False) for _ in range(1000)]),
    )


def slug(name: str) -> str:
    """The letters of a name that every mail system accepts; `customer` when it has none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalpha()) or "customer"


def _distinct(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.strip() for value in values))
