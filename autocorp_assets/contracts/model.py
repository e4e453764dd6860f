"""The vocabulary in which a table's contract is written.

Plain frozen dataclasses without a dependency: Glue imports them next to Spark, the code location
next to Dagster, and neither may drag the other in.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

LAKE_TYPE_BY_SOURCE_TYPE = {
    "SERIAL": "int",
    "INT": "int",
    "TEXT": "string",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    # PostgreSQL's money is int64 cents: 19 digits hold every value it can.
    "MONEY": "decimal(19,2)",
}


class LakeFormat(StrEnum):
    HUDI = "hudi"
    DELTA = "delta"


class SourceSystem(StrEnum):
    DATABASE = "db"
    CSV = "csv"


@dataclass(frozen=True)
class Between:
    """Value lies in [low, high]; a bound of None is open. NULL passes."""

    low: int | None = None
    high: int | None = None

    @property
    def label(self) -> str:
        bounds = (
            f"at least {self.low}" if self.low is not None else "",
            f"at most {self.high}" if self.high is not None else "",
        )
        return " and ".join(filter(None, bounds))


@dataclass(frozen=True)
class OneOf:
    """Value is one of these. NULL passes."""

    values: tuple[str, ...]

    @property
    def label(self) -> str:
        return "known value"


@dataclass(frozen=True)
class Matches:
    """The whole text matches the regular expression (the subset that Java, Rust and Python share)."""

    pattern: str

    @property
    def label(self) -> str:
        return "form"


@dataclass(frozen=True)
class NotBefore:
    """Date or time is on or after this ISO date. NULL passes."""

    day: str

    @property
    def label(self) -> str:
        return f"not before {self.day}"


@dataclass(frozen=True)
class NotAfterDelivery:
    """Date or time is not later than the end of the day on which the row was delivered.

    A CSV row is judged against the date in its file's name, a database row against its commit
    time: so a replay years later decides the same.
    """

    @property
    def label(self) -> str:
        return "not after its delivery"


@dataclass(frozen=True)
class SumsTo:
    """`total` equals the sum of `parts`, to the cent. A NULL on either side passes."""

    total: str
    parts: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"sum of {' and '.join(self.parts)}"


@dataclass(frozen=True)
class SumsLines:
    """`total` equals the sum of `amount` over a row's lines, to the cent; judged over whole tables.

    Its lines are the rows of `tables` that refer to it (`References`); a row without lines has the sum 0. A NULL on
    either side passes.
    """

    total: str
    amount: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class References:
    """Every non-null value of `column` is a `to_column` of `to_table`; judged over whole tables."""

    column: str
    to_table: str
    to_column: str


@dataclass(frozen=True)
class Unique:
    """No two rows of one source system share these values."""

    columns: tuple[str, ...]


ColumnRule = Between | OneOf | Matches | NotBefore | NotAfterDelivery
"""`label` names a rule after its column, in quarantine and in check reports alike."""
REQUIRED = "required"
REPEATED = "repeated, a later row of the file wins"
TableRule = SumsTo | SumsLines | References | Unique


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column, described once: the lake's type follows from the source's."""

    name: str
    source_type: str
    description: str
    required: bool = False
    default: str | None = None
    personal: bool = False
    rules: tuple[ColumnRule, ...] = ()

    @property
    def type(self) -> str:
        """Spark SQL's name of the column's type in the lake."""
        if self.source_type.startswith("VARCHAR"):
            return "string"
        if self.source_type.startswith("DECIMAL"):
            return self.source_type.lower()
        return LAKE_TYPE_BY_SOURCE_TYPE[self.source_type]

    @property
    def decimal_scale(self) -> int | None:
        """Digits behind the point, or None when the column is not a decimal."""
        match = re.fullmatch(r"decimal\(\d+,(\d+)\)", self.type)
        return int(match[1]) if match else None


@dataclass(frozen=True, kw_only=True)
class UnnamedColumn(Column):
    """A column that the source has and the contract does not name: its type was found, not agreed."""

    lake_type: str
    source_name: str
    """Its name in raw files; the lake's may differ (see `spark_jobs.table_shape.lake_name`)."""

    @property
    def type(self) -> str:
        return self.lake_type


class KeyForm(StrEnum):
    """How the record key of a CSV row is made from its key columns."""

    HASHED = "hashed"  # csv:<sha256 of the trimmed, case-folded value>
    PLAIN = "plain"  # csv:<value>
    LINE = "line"  # csv:<value>:<ordinal within it>; a file replaces all lines of a value


class Repeats(StrEnum):
    """What becomes of a row that one delivery has again, later and with other content; the later one wins."""

    SUPERSEDED = "superseded"  # the key is known to come several times
    QUARANTINED = "quarantined"  # the key should be unique: the loser is kept for whoever looks into it


@dataclass(frozen=True)
class Difference:
    """A missing `target` is `minuend - subtrahend`, when both are there and it is not negative."""

    target: str
    minuend: str
    subtrahend: str


@dataclass(frozen=True, kw_only=True)
class CsvFeed:
    """A periodic CSV export `<name>-YYYYMMDD.csv` that feeds a table."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    key_form: KeyForm
    renames: tuple[tuple[str, str], ...] = ()
    """(name in the file's header, name in the table), where the two differ."""
    derivations: tuple[Difference, ...] = ()
    repeats: Repeats = Repeats.SUPERSEDED
    description: str

    @cached_property
    def table_column(self) -> dict[str, str]:
        """The table's column for each column of the file."""
        renamed = dict(self.renames)
        return {name: renamed.get(name, name) for name in self.columns}

    def file_pattern(self) -> re.Pattern[str]:
        """Names that belong to this feed; the group is the delivery's date."""
        return re.compile(rf"{re.escape(self.name)}-(\d{{8}})\.csv")


@dataclass(frozen=True, kw_only=True)
class ServiceLevel:
    """Minutes behind the source at which a table is late."""

    warn_minutes: int = 10
    fail_minutes: int = 15


@dataclass(frozen=True, kw_only=True)
class TableContract:
    """What a table is: everything else about it is derived from here."""

    name: str
    description: str
    format: LakeFormat
    primary_key: str
    columns: tuple[Column, ...]
    rules: tuple[TableRule, ...] = ()
    csv_feed: CsvFeed | None = None
    month_of: str | None = None
    """Column whose month is the second partition level; None when the table needs none."""
    owner: str = "team:data-platform"
    service_level: ServiceLevel = field(default_factory=ServiceLevel)
    unnamed_columns: tuple[UnnamedColumn, ...] = field(default=(), repr=False)
    """Columns of the stored table that the contract does not name. A run finds them (`spark_jobs.table_shape`);
    a written contract has none, and the version leaves them out."""

    @cached_property
    def column_by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def has_two_systems(self) -> bool:
        return self.csv_feed is not None

    @property
    def record_key(self) -> str:
        """The lake column that identifies a row."""
        return RECORD_KEY if self.has_two_systems else self.primary_key

    @cached_property
    def needed_of_feed(self) -> tuple[str, ...]:
        """Columns of the feed's files without which no row could be accepted, by their names in the header."""
        feed = self.csv_feed
        if feed is None:
            return ()
        derived = {derivation.target for derivation in feed.derivations}
        required = {column.name for column in self.columns if column.required} - derived
        return tuple(name for name, column in feed.table_column.items() if column in required or name in feed.key)

    @property
    def partition_columns(self) -> tuple[str, ...]:
        if not self.has_two_systems:
            return ()
        return (SOURCE_SYSTEM,) if self.month_of is None else (SOURCE_SYSTEM, PARTITION_MONTH)

    @property
    def lineage_columns(self) -> tuple[Column, ...]:
        """Columns that the lake adds, in the order in which they follow the contract's own."""
        if not self.has_two_systems:
            return ROW_LINEAGE
        month = () if self.month_of is None else (MONTH_COLUMN,)
        return (*SYSTEM_LINEAGE, *month, *ROW_LINEAGE)

    @property
    def lake_columns(self) -> tuple[Column, ...]:
        return (*self.columns, *self.lineage_columns, *self.unnamed_columns)

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.personal)

    @property
    def large_columns(self) -> tuple[str, ...]:
        """Those whose value PostgreSQL may leave out of an update: only text can be so large."""
        return tuple(
            column.name
            for column in (*self.columns, *self.unnamed_columns)
            if column.type == "string" and column.name != self.primary_key
        )

    @property
    def lake_path(self) -> str:
        """Folder of the table below the lake's root."""
        return f"curated/{self.format}/{self.name}"

    @cached_property
    def version(self) -> str:
        """Changes whenever anything in the contract does; recorded with each commit."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


RECORD_KEY = "record_key"
SOURCE_SYSTEM = "source_system"
PARTITION_MONTH = "partition_month"
CHANGE_SEQ = "change_seq"
CHANGED_AT = "changed_at"
RAW_FILE = "raw_file"

SYSTEM_LINEAGE = (
    Column(
        name=RECORD_KEY,
        source_type="TEXT",
        required=True,
        description="Identity over both systems: `db:<primary key>` or `csv:<key>`.",
    ),
    Column(
        name=SOURCE_SYSTEM,
        source_type="TEXT",
        required=True,
        description="Where the row comes from: db or csv.",
        rules=(OneOf(tuple(SourceSystem)),),
    ),
)
MONTH_COLUMN = Column(
    name=PARTITION_MONTH, source_type="TEXT", required=True, description="Month that partitions the table, YYYY-MM."
)
ROW_LINEAGE = (
    Column(
        name=CHANGE_SEQ,
        source_type="TEXT",
        required=True,
        description="Position of the row's last change; greater is later.",
    ),
    Column(
        name=CHANGED_AT,
        source_type="TIMESTAMP",
        description="When the source committed the change (UTC); for a CSV row, the date in its file's name.",
    ),
    Column(name=RAW_FILE, source_type="TEXT", description="Raw file that brought the row's last change."),
)
