"""The checks that watch a table, without loading what runs them."""

from __future__ import annotations

import dagster as dg

from autocorp_assets.asset_keys import curated_key, raw_table_key
from autocorp_assets.automation.up_to_date import UP_TO_DATE
from autocorp_assets.checks.accounting import FILES_ACCOUNTED
from autocorp_assets.checks.catalog import CATALOG
from autocorp_assets.checks.curated import check_specs
from autocorp_assets.checks.full_reconciliation import FULL_RECONCILIATION
from autocorp_assets.checks.lag import LAG
from autocorp_assets.checks.order_arithmetic import ORDER_ARITHMETIC
from autocorp_assets.checks.raw import raw_check_specs, raw_feed_check_specs
from autocorp_assets.checks.reconciliation import RECONCILIATION
from autocorp_assets.checks.references import REFERENCES, references_of
from autocorp_assets.checks.unique_keys import UNIQUE_KEYS
from autocorp_assets.checks.whole_table_rules import WHOLE_TABLE_RULES
from autocorp_assets.contracts.model import SumsLines, TableContract

OF_EVERY_TABLE = (
    UP_TO_DATE,
    FILES_ACCOUNTED,
    UNIQUE_KEYS,
    WHOLE_TABLE_RULES,
    CATALOG,
    RECONCILIATION,
    FULL_RECONCILIATION,
)


def check_keys(contract: TableContract) -> list[dg.AssetCheckKey]:
    """Of the curated table, of its table in raw and of its feed."""
    scheduled = [
        *OF_EVERY_TABLE,
        *([REFERENCES] if references_of(contract) else []),
        *([ORDER_ARITHMETIC] if any(isinstance(rule, SumsLines) for rule in contract.rules) else []),
    ]
    feed = contract.csv_feed
    return [
        *(spec.key for spec in check_specs(contract)),
        *(dg.AssetCheckKey(curated_key(contract.name), name) for name in scheduled),
        *(spec.key for spec in raw_check_specs(contract)),
        dg.AssetCheckKey(raw_table_key(contract.name), LAG),
        *(spec.key for spec in (raw_feed_check_specs(feed) if feed else ())),
    ]
