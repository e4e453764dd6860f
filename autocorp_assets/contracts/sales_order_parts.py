"""sales_order_parts: the parts on an order."""

from autocorp_assets.contracts.model import Between, Column, CsvFeed, KeyForm, LakeFormat, References, TableContract

SALES_ORDER_PARTS = TableContract(
    name="sales_order_parts",
    description="Part lines of sales orders of both systems.",
    format=LakeFormat.HUDI,
    primary_key="line_item_id",
    columns=(
        Column(
            name="line_item_id",
            source_type="SERIAL",
            required=True,
            description="The database's line number; NULL for a line of the CSV export, which has none.",
        ),
        Column(name="order_id", source_type="INT", required=True, description="The order, within its source_system."),
        Column(name="part_id", source_type="INT", description="Number of the part in the till; not a key of ours."),
        Column(name="sku", source_type="VARCHAR(50)", description="The part."),
        Column(name="part_description", source_type="VARCHAR(200)", description="Text on the invoice."),
        Column(
            name="quantity",
            source_type="INT",
            required=True,
            description="Pieces sold.",
            rules=(Between(low=1),),
        ),
        Column(
            name="unit_price",
            source_type="DECIMAL(10,2)",
            description="Price of a piece in USD.",
            rules=(Between(low=0),),
        ),
        Column(
            name="line_total",
            source_type="DECIMAL(12,2)",
            description="Quantity times unit price in USD.",
            rules=(Between(low=0),),
        ),
        Column(name="created_at", source_type="TIMESTAMP", default="now()", description="When the row was made."),
    ),
    rules=(References("order_id", "sales_order", "order_id"),),
    csv_feed=CsvFeed(
        name="sales_order_parts",
        description="Companion of sales_orders: the part lines of every order that it contains.",
        columns=("order_id", "sku", "part_description", "quantity", "unit_price", "line_total"),
        key=("order_id",),
        key_form=KeyForm.LINE,
    ),
)
