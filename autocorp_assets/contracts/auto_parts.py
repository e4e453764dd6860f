"""auto_parts: the parts on offer."""

from autocorp_assets.contracts.model import Between, Column, LakeFormat, TableContract

AUTO_PARTS = TableContract(
    name="auto_parts",
    description="Parts inventory: one row a stock keeping unit.",
    format=LakeFormat.DELTA,
    primary_key="sku",
    columns=(
        Column(name="sku", source_type="VARCHAR(50)", required=True, description="Stock keeping unit."),
        Column(name="name", source_type="VARCHAR(255)", required=True, description="Name of the part."),
        Column(name="description", source_type="TEXT", description="Long description."),
        Column(name="inventory_date", source_type="DATE", description="Day of the last stock count."),
        Column(name="vendor", source_type="VARCHAR(255)", description="Supplier of the part."),
        Column(name="price", source_type="DECIMAL(10,2)", description="List price in USD.", rules=(Between(low=0),)),
    ),
)
