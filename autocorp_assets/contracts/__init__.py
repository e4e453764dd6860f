"""The contracts of all tables, in an order in which a table follows those it references."""

from autocorp_assets.contracts.auto_parts import AUTO_PARTS
from autocorp_assets.contracts.customers import CUSTOMERS
from autocorp_assets.contracts.model import CsvFeed, TableContract
from autocorp_assets.contracts.sales_order import SALES_ORDER
from autocorp_assets.contracts.sales_order_parts import SALES_ORDER_PARTS
from autocorp_assets.contracts.sales_order_services import SALES_ORDER_SERVICES
from autocorp_assets.contracts.service import SERVICE
from autocorp_assets.contracts.service_parts import SERVICE_PARTS

TABLES: dict[str, TableContract] = {
    table.name: table
    for table in (
        AUTO_PARTS,
        CUSTOMERS,
        SERVICE,
        SERVICE_PARTS,
        SALES_ORDER,
        SALES_ORDER_PARTS,
        SALES_ORDER_SERVICES,
    )
}
TABLE_BY_FEED: dict[str, TableContract] = {
    table.csv_feed.name: table for table in TABLES.values() if table.csv_feed is not None
}
FEEDS: dict[str, CsvFeed] = {name: table.csv_feed for name, table in TABLE_BY_FEED.items() if table.csv_feed}
