"""service_parts: which parts a service needs."""

from autocorp_assets.contracts.model import Between, Column, LakeFormat, References, TableContract, Unique

SERVICE_PARTS = TableContract(
    name="service_parts",
    description="Service-to-parts mapping: one row a part that a service needs.",
    format=LakeFormat.DELTA,
    primary_key="service_part_id",
    columns=(
        Column(name="service_part_id", source_type="SERIAL", required=True, description="Surrogate key."),
        Column(name="serviceid", source_type="VARCHAR(50)", description="The service."),
        Column(name="sku", source_type="VARCHAR(50)", description="The part."),
        Column(
            name="quantity",
            source_type="INT",
            default="1",
            description="Pieces needed for one service.",
            rules=(Between(low=1),),
        ),
        Column(name="created_at", source_type="TIMESTAMP", default="now()", description="When the row was made."),
    ),
    rules=(
        Unique(("serviceid", "sku")),
        References("serviceid", "service", "serviceid"),
        References("sku", "auto_parts", "sku"),
    ),
)
