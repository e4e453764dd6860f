"""sales_order_services: the workshop jobs on an order."""

from autocorp_assets.contracts.model import Between, Column, CsvFeed, KeyForm, LakeFormat, References, TableContract

SALES_ORDER_SERVICES = TableContract(
    name="sales_order_services",
    description="Service lines of sales orders of both systems.",
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
        Column(name="serviceid", source_type="VARCHAR(50)", description="The service performed."),
        Column(name="service_description", source_type="VARCHAR(200)", description="Text on the invoice."),
        Column(
            name="quantity",
            source_type="INT",
            required=True,
            default="1",
            description="Times performed.",
            rules=(Between(low=1),),
        ),
        Column(name="labor_minutes", source_type="INT", description="Minutes worked.", rules=(Between(low=0),)),
        Column(
            name="labor_cost",
            source_type="DECIMAL(10,2)",
            description="Labour in USD.",
            rules=(Between(low=0),),
        ),
        Column(
            name="parts_cost",
            source_type="DECIMAL(10,2)",
            default="0",
            description="Parts used in USD.",
            rules=(Between(low=0),),
        ),
        Column(
            name="line_total",
            source_type="DECIMAL(12,2)",
            description="Total of the line in USD.",
            rules=(Between(low=0),),
        ),
        Column(name="vehicle_id", source_type="VARCHAR(50)", personal=True, description="The customer's vehicle."),
        Column(name="technician_id", source_type="VARCHAR(50)", description="Who did the job."),
        Column(name="service_status", source_type="VARCHAR(50)", description="State of the job."),
        Column(name="created_at", source_type="TIMESTAMP", default="now()", description="When the row was made."),
    ),
    rules=(
        References("order_id", "sales_order", "order_id"),
        References("serviceid", "service", "serviceid"),
    ),
    csv_feed=CsvFeed(
        name="sales_order_services",
        description="Companion of sales_orders: the service lines of every order that it contains.",
        columns=(
            "order_id",
            "serviceid",
            "service_description",
            "quantity",
            "labor_minutes",
            "labor_cost",
            "parts_cost",
            "line_total",
            "vehicle_id",
            "technician_id",
            "service_status",
        ),
        key=("order_id",),
        key_form=KeyForm.LINE,
    ),
)
