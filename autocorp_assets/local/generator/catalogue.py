"""What is sold: 400 parts, 110 services in 11 categories, and the 1,074 parts that services need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import polars as pl

from autocorp_assets.contracts.service import CATEGORIES
from autocorp_assets.local.generator.draws import apportion, generator

PARTS = 400
SERVICES = 110
RECIPE_LINES = 1_074
MOST_PARTS_OF_A_SERVICE = 27

CODES = ("ENG", "TRN", "TIR", "BRK", "COL", "ELE", "HVC", "SUS", "GEN", "EXH", "FLU")
"""Prefix of sku and serviceid, in the order of the categories."""
NOUNS = (
    ("Timing Belt", "Piston Ring Set", "Head Gasket", "Camshaft", "Oil Pump", "Valve Cover", "Crankshaft Seal"),
    ("Clutch Kit", "Torque Converter", "CV Axle", "Shift Solenoid", "Flywheel", "Transmission Mount", "U-Joint"),
    ("All-Season Tire", "Alloy Wheel", "Wheel Bearing", "Lug Nut Set", "TPMS Sensor", "Valve Stem", "Hub Assembly"),
    ("Brake Pad Set", "Brake Rotor", "Brake Caliper", "Brake Hose", "Master Cylinder", "ABS Sensor", "Brake Drum"),
    ("Radiator", "Water Pump", "Thermostat", "Cooling Fan", "Radiator Hose", "Expansion Tank", "Heater Core"),
    ("Alternator", "Battery", "Starter Motor", "Ignition Coil", "Spark Plug", "Fuse Box", "Headlight Bulb"),
    ("A/C Compressor", "Cabin Filter", "Blower Motor", "Condenser", "Evaporator", "Expansion Valve", "Dryer"),
    ("Shock Absorber", "Control Arm", "Ball Joint", "Tie Rod End", "Sway Bar Link", "Coil Spring", "Strut Mount"),
    ("Wiper Blade", "Serpentine Belt", "Drain Plug", "Door Hinge", "Key Battery", "Hose Clamp", "Trim Clip"),
    ("Catalytic Converter", "Muffler", "Oxygen Sensor", "EGR Valve", "Exhaust Manifold", "Tail Pipe", "DPF Filter"),
    ("Engine Oil", "Oil Filter", "Air Filter", "Fuel Filter", "Brake Fluid", "Coolant", "Transmission Fluid"),
)
GRADES = ("OEM", "Premium", "Economy", "Heavy Duty", "Front", "Rear")
JOBS = ("Replacement", "Inspection")
VENDORS = (
    "Bosch",
    "Continental AG",
    "Delphi",
    "Müller & Söhne GmbH",
    "AC/DC Parts, Inc.",
    '"Best" Parts Co.',
    "株式会社デンソー",
)
ODD_SUFFIXES = (' 12" (30 cm)', ", left, pre-2019", "\nincl. mounting kit", ", Größe M", " 🔧", " (driver's side)")
ODD_EVERY = 17
LONG_DESCRIPTIONS_EVERY = 67


@dataclass(frozen=True)
class Catalogue:
    """Amounts are in cents."""

    parts: pl.DataFrame
    services: pl.DataFrame
    recipes: pl.DataFrame
    """serviceid, sku, quantity."""


@cache
def catalogue(seed: int) -> Catalogue:
    """The catalogue that `seed` makes."""
    rng = generator(seed, "catalogue")
    parts = _parts(rng)
    services = _services(rng)
    return Catalogue(parts=parts, services=services, recipes=_recipes(parts, services, rng))


def scan_dump(rng: np.random.Generator, size: int) -> str:
    """`size` bytes as a scan tool prints them: a long text that hardly compresses, as TOAST is for."""
    return "Scan tool dump:\n" + rng.bytes(size).hex(" ", 16)


def _parts(rng: np.random.Generator) -> pl.DataFrame:
    rows = [_part(number, rng) for number in range(PARTS)]
    return pl.DataFrame(rows, orient="row", schema=["sku", "name", "description", "inventory_date", "vendor", "price"])


def _part(number: int, rng: np.random.Generator) -> tuple[str, str, str | None, date | None, str | None, int | None]:
    category, rank = number % len(CODES), number // len(CODES)
    nouns = NOUNS[category]
    name = f"{GRADES[rank // len(nouns)]} {nouns[rank % len(nouns)]}"
    description: str | None = f"{name}: fits model years {2000 + rank % 20} to {2006 + rank % 20}; check the number."
    if number % ODD_EVERY == 0:
        name += ODD_SUFFIXES[number // ODD_EVERY % len(ODD_SUFFIXES)]
    if number % LONG_DESCRIPTIONS_EVERY == 0:
        description = f"{description}\n{scan_dump(rng, 5_000)}"
    elif number % 10 == 3:
        description = (None, "")[number // 10 % 2]
    counted = date.fromordinal(int(rng.integers(date(2023, 1, 1).toordinal(), date(2024, 12, 31).toordinal())))
    price = int(rng.lognormal(mean=8.6, sigma=1.0)) + 199
    return (
        f"{CODES[category]}-{rank + 1:04d}",
        name,
        description,
        None if number % 41 == 7 else counted,
        None if number % 53 == 9 else VENDORS[int(rng.integers(len(VENDORS)))],
        None if number % 97 == 11 else price,
    )


def _services(rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for number in range(SERVICES):
        category, rank = number % len(CODES), number // len(CODES)
        minutes = int(rng.integers(1, 33)) * 15
        # 95 to 165 dollars an hour; the longest jobs cost more than $1,000.
        cost = minutes * int(rng.integers(9_500, 16_500)) // 60
        rows.append(
            (
                f"SVC-{CODES[category]}-{rank + 1:03d}",
                f"{NOUNS[category][rank % 5]} {JOBS[rank // 5]}",
                CATEGORIES[category],
                minutes,
                None if number == SERVICES - 1 else cost,
            )
        )
    return pl.DataFrame(rows, orient="row", schema=["serviceid", "service", "category", "labor_minutes", "labor_cost"])


def _recipes(parts: pl.DataFrame, services: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    least = np.full(SERVICES, 1)
    least[0] = MOST_PARTS_OF_A_SERVICE
    sizes = apportion(RECIPE_LINES, low=least, high=MOST_PARTS_OF_A_SERVICE, rng=rng)
    rows = []
    for number, (serviceid, size) in enumerate(zip(services["serviceid"], sizes, strict=True)):
        own = parts["sku"][number % len(CODES) :: len(CODES)]
        rows += [
            (serviceid, own[int(rank)], int(rng.integers(1, 5)))
            for rank in rng.choice(len(own), size=size, replace=False)
        ]
    return pl.DataFrame(rows, orient="row", schema=["serviceid", "sku", "quantity"])
