"""sales_order: order headers, from the database and from the periodic CSV exports."""

from autocorp_assets.contracts.model import (
    Between,
    Column,
    CsvFeed,
    Difference,
    KeyForm,
    LakeFormat,
    Matches,
    NotAfterDelivery,
    NotBefore,
    OneOf,
    References,
    Repeats,
    SumsLines,
    SumsTo,
    TableContract,
    Unique,
)

BUSINESS_BEGAN = "2021-06-07"
PAYMENT_METHODS = ("Credit", "Cash", "Debit", "Bank Transfer")
ORDER_TYPES = ("Parts", "Service", "Mixed")

SALES_ORDER = TableContract(
    name="sales_order",
    description="Sales orders of both systems. A CSV order's customer_id belongs to the exporting system.",
    format=LakeFormat.HUDI,
    primary_key="order_id",
    month_of="order_date",
    columns=(
        Column(
            name="order_id",
            source_type="SERIAL",
            required=True,
            description="Order number; the two systems' numbers overlap, so identity is (source_system, order_id).",
        ),
        Column(name="customer_id", source_type="INT", required=True, description="Who ordered."),
        Column(
            name="order_date",
            source_type="TIMESTAMP",
            required=True,
            description="When it was ordered (UTC).",
            rules=(NotBefore(BUSINESS_BEGAN), NotAfterDelivery()),
        ),
        Column(
            name="invoice_number",
            source_type="VARCHAR(50)",
            required=True,
            description="Number of the invoice.",
            rules=(Matches(r"[A-Z]+-\d{4}-\d+"),),
        ),
        Column(
            name="payment_method",
            source_type="VARCHAR(50)",
            description="How it was paid.",
            rules=(OneOf(PAYMENT_METHODS),),
        ),
        Column(
            name="subtotal",
            source_type="DECIMAL(12,2)",
            description="Sum of the lines in USD.",
            rules=(Between(low=0),),
        ),
        Column(
            name="tax",
            source_type="DECIMAL(12,2)",
            description="Sales tax in USD, 8% of the subtotal.",
            rules=(Between(low=0),),
        ),
        Column(
            name="total_amount",
            source_type="DECIMAL(12,2)",
            description="Subtotal and tax in USD.",
            rules=(Between(low=0),),
        ),
        Column(
            name="order_type",
            source_type="VARCHAR(20)",
            description="What was sold.",
            rules=(OneOf(ORDER_TYPES),),
        ),
        Column(name="status", source_type="VARCHAR(50)", default="'Completed'", description="State of the order."),
        Column(name="notes", source_type="TEXT", personal=True, description="Free text of the clerk."),
        Column(name="created_at", source_type="TIMESTAMP", default="now()", description="When the row was made."),
        Column(name="updated_at", source_type="TIMESTAMP", default="now()", description="When it last changed."),
    ),
    rules=(
        Unique(("invoice_number",)),
        References("customer_id", "customers", "customer_id"),
        SumsTo("total_amount", ("subtotal", "tax")),
        SumsLines("subtotal", "line_total", ("sales_order_parts", "sales_order_services")),
    ),
    csv_feed=CsvFeed(
        name="sales_orders",
        description="Periodic export of orders, with two companion files of their lines.",
        columns=(
            "order_id",
            "customer_id",
            "order_date",
            "invoice_number",
            "payment_method",
            "subtotal",
            "tax",
            "total_amount",
            "order_type",
            "status",
        ),
        key=("order_id",),
        key_form=KeyForm.PLAIN,
        derivations=(
            Difference("tax", "total_amount", "subtotal"),
            Difference("subtotal", "total_amount", "tax"),
        ),
        repeats=Repeats.QUARANTINED,
    ),
)
