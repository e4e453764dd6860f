"""service: the catalogue of workshop services."""

from autocorp_assets.contracts.model import Between, Column, LakeFormat, OneOf, TableContract

CATEGORIES = (
    "Engine & Powertrain",
    "Transmission & Drivetrain",
    "Tires & Wheels",
    "Brakes",
    "Cooling System",
    "Electrical System",
    "HVAC",
    "Suspension & Steering",
    "General Preventive Maintenance",
    "Exhaust & Emissions",
    "Fluids & Filters",
)

SERVICE = TableContract(
    name="service",
    description="Service catalogue: one row a service that the workshop performs.",
    format=LakeFormat.DELTA,
    primary_key="serviceid",
    columns=(
        Column(name="serviceid", source_type="VARCHAR(50)", required=True, description="Identifier of the service."),
        Column(name="service", source_type="VARCHAR(200)", description="Name of the service."),
        Column(
            name="category",
            source_type="VARCHAR(50)",
            description="Group of services it belongs to.",
            rules=(OneOf(CATEGORIES),),
        ),
        Column(name="labor_minutes", source_type="INT", description="Planned minutes.", rules=(Between(low=0),)),
        Column(name="labor_cost", source_type="MONEY", description="Labour price in USD.", rules=(Between(low=0),)),
    ),
)
