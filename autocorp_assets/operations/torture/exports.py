"""CSV exports that land while everything is being killed, some corrected under the same name."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from autocorp_assets.settings import Settings

if TYPE_CHECKING:
    from autocorp_assets.local.generator.landing import FileManifest

FIRST_DAY = date(2024, 12, 30)
LAST_DAY = FIRST_DAY + timedelta(days=1)
"""Of the customers: the whole export, that decides what is stored in the end."""
PEOPLE = 600
ORDERS = 40
FEWEST = 50


@dataclass(kw_only=True)
class Exports:
    """Lands exports whose outcome is known.

    Customers: one day's file is corrected again and again, in sizes that go up and down; the next
    day's holds everybody. Orders: each export has orders of its own, so that the truth of each file
    adds up; a corrected one is clean, and has all orders of the file that it replaces.
    """

    settings: Settings
    chance: random.Random
    pause_seconds: float
    landed: int = 0
    orders: list[FileManifest] = field(default_factory=list)
    """The truth of each file of orders and of their lines."""

    def run(self, stop: threading.Event) -> None:
        self._everybody()
        while not stop.wait(self.chance.uniform(0.3, 1) * self.pause_seconds):
            self.chance.choice((self._some_people, self._some_people, self._dirty_orders, self._corrected_orders))()
        if not self.orders:
            self._dirty_orders()

    def _everybody(self) -> None:
        self._customers(LAST_DAY, PEOPLE)

    def _some_people(self) -> None:
        self._customers(FIRST_DAY, self.chance.randrange(FEWEST, PEOPLE))

    def _customers(self, day: date, count: int) -> None:
        from autocorp_assets.local.generator.exports import write_customers

        write_customers(self.settings.landing_folder, day, count=count)
        self.landed += 1

    def _dirty_orders(self) -> None:
        from autocorp_assets.local.generator.dirt import USUAL_RATES

        self.orders += self._export(ORDERS, dirt=dict(USUAL_RATES))
        self.landed += 1

    def _corrected_orders(self) -> None:
        self._export(ORDERS // 2, dirt=None)
        self.landed += 1
        threading.Event().wait(self.chance.uniform(0, 8))
        self.orders += self._export(ORDERS, dirt=None)
        self.landed += 1

    def _export(self, orders: int, *, dirt: dict[str, float] | None) -> list[FileManifest]:
        from autocorp_assets.local.generator.exports import write_sales_orders

        number = len({manifest.file[-12:] for manifest in self.orders})
        day = FIRST_DAY + timedelta(days=number)
        written = write_sales_orders(
            self.settings.landing_folder, day, orders=orders, first_order=1 + number * ORDERS, dirt=dirt
        )
        return list(written.files)
