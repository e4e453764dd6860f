"""customers: the people AutoCorp knows, from the database and from the full CSV export."""

from autocorp_assets.contracts.model import Column, CsvFeed, KeyForm, LakeFormat, Matches, TableContract, Unique

CUSTOMERS = TableContract(
    name="customers",
    description="Customers of both systems; the view `customer` has one row a person.",
    format=LakeFormat.HUDI,
    primary_key="customer_id",
    columns=(
        Column(
            name="customer_id",
            source_type="SERIAL",
            required=True,
            description="The database's customer number; NULL for a person known only from the CSV export.",
        ),
        Column(name="first_name", source_type="VARCHAR(100)", required=True, personal=True, description="Given name."),
        Column(name="last_name", source_type="VARCHAR(100)", required=True, personal=True, description="Family name."),
        Column(
            name="email",
            source_type="VARCHAR(200)",
            required=True,
            personal=True,
            description="E-mail address; trimmed and case-folded it tells who is the same person.",
            rules=(Matches(r"[^@\s]+@[^@\s]+\.[^@\s]+"),),
        ),
        Column(name="phone", source_type="VARCHAR(50)", personal=True, description="Telephone number."),
        Column(name="address", source_type="VARCHAR(300)", personal=True, description="Street and number."),
        Column(name="city", source_type="VARCHAR(100)", personal=True, description="City."),
        Column(name="state", source_type="VARCHAR(50)", description="State, by its two-letter code."),
        Column(name="zip_code", source_type="VARCHAR(20)", personal=True, description="Postal code."),
        Column(
            name="created_at",
            source_type="TIMESTAMP",
            default="now()",
            description="When the database first had the customer.",
        ),
    ),
    rules=(Unique(("email",)),),
    csv_feed=CsvFeed(
        name="customers",
        description="Full export of all customers, 1.2 million people; no id and no date.",
        columns=("first_name", "last_name", "email", "phone", "address", "city", "state", "zip"),
        renames=(("zip", "zip_code"),),
        key=("email",),
        key_form=KeyForm.HASHED,
    ),
)
