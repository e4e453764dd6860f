"""From Athena's SQL to DuckDB's, for one read-only statement.

sqlglot translates. What it leaves different is put right here: by `_REWRITES` where the syntax tree
has to change, by `MACROS` where DuckDB only lacks the function.

Known to differ from Athena: dividing or averaging decimals gives a double with all its digits, where
Athena rounds to the decimals' scale; `AT TIME ZONE` gives the wall clock without its zone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, TokenError, UnsupportedError
from sqlglot.tokens import Token, TokenType

from autocorp_assets.query.errors import QueryError
from autocorp_assets.query.rewrites import rewrite
from autocorp_assets.query.view_files import VIEW_SCHEMA

DEFAULT_SCHEMA = VIEW_SCHEMA
INFORMATION_SCHEMA = "information_schema"
ATHENA_CATALOG = "awsdatacatalog"
QUERY_STARTS = {"SELECT", "WITH", "VALUES", "TABLE", "("}
QUERY_ROOTS = (exp.Query, exp.Values)

MACROS = (
    "all_match(a, f) AS len(list_filter(a, f)) = len(a)",
    "any_match(a, f) AS len(list_filter(a, f)) > 0",
    "none_match(a, f) AS len(list_filter(a, f)) = 0",
    "array_union(a, b) AS list_distinct(list_concat(a, b))",
    "arrays_overlap(a, b) AS list_has_any(a, b)",
    "at_timezone(t, zone) AS timezone(zone, t::TIMESTAMPTZ)",
    "codepoint(s) AS unicode(s)",
    "infinity() AS 'inf'::DOUBLE",
    "map_agg(k, v) AS map(list(k), list(v))",
    "nan() AS 'nan'::DOUBLE",
    "normalize(s) AS nfc_normalize(s)",
    "with_timezone(t, zone) AS timezone(zone, t::TIMESTAMP)",
    "width_bucket(x, low, high, n) AS least(greatest(floor((x - low) / ((high - low) / n::DOUBLE)) + 1, 0), n + 1)",
)
"""Trino's functions that DuckDB lacks or names otherwise."""


@dataclass(frozen=True)
class Catalog:
    """The tables and views that a query may name."""

    names: Mapping[str, frozenset[str]]
    """By schema."""

    def resolve(self, table: exp.Table, local: frozenset[str]) -> tuple[str, str] | None:
        """Schema and name of what the query names, None for one of its own (`local`) or of information_schema.

        Raises:
            QueryError: there is no such table.
        """
        if not isinstance(table.this, exp.Identifier):
            what = table.this.sql(dialect="athena") if table.this else table.sql(dialect="athena")
            message = f"{what} cannot be read from: only the lake's tables and views can (SHOW TABLES lists them)"
            raise QueryError(message)
        schema, name = table.db.lower(), table.name.lower()
        if (not schema and name in local) or schema == INFORMATION_SCHEMA:
            return None
        schema = self.schema(schema or DEFAULT_SCHEMA)
        if name not in self.names[schema]:
            near = difflib.get_close_matches(name, self.names[schema], n=3) or sorted(self.names[schema])
            message = f"there is no table {name!r} in {schema}; did you mean {', '.join(near)}?"
            raise QueryError(message)
        return schema, name

    def schema(self, name: str) -> str:
        """The schema of that name. Raises QueryError when there is none."""
        if name.lower() not in self.names:
            message = f"there is no database {name!r}; there are {', '.join(sorted(self.names))}"
            raise QueryError(message)
        return name.lower()


@dataclass(frozen=True)
class Statement:
    """A checked query in DuckDB's SQL."""

    sql: str
    tables: frozenset[tuple[str, str]] = frozenset()
    """(schema, name) of the lake's tables and views that it names."""
    parameters: tuple[object, ...] = ()
    """Values that the statement itself brings, before those of the caller."""


def translate(sql: str, *, catalog: Catalog) -> Statement:
    """One statement of Athena's SQL that only reads.

    Raises:
        QueryError: no statement or several, one that would change something, a syntax error, or an unknown table.
    """
    tokens = _tokens_of_one_statement(sql)
    start = tokens[0].text.upper()
    if start == "EXPLAIN":
        return _explain(_rest(tokens), catalog)
    if start == "SHOW":
        return _show(_tokens(_rest(tokens)), catalog)
    if start in ("DESCRIBE", "DESC"):
        return _describe(tokens[1:], catalog)
    if start not in QUERY_STARTS:
        message = f"{start} cannot be run: the lake is read only here (SELECT, WITH, VALUES, SHOW, DESCRIBE, EXPLAIN)"
        raise QueryError(message)
    return _query(_text(sql, tokens), catalog)


def guard(sql: str, *, catalog: Catalog) -> str:
    """The same statement for Athena itself, without semicolons at its end, once it is sure to be one that only reads.

    What DuckDB cannot do is no reason to refuse it here.

    Raises:
        QueryError: see `translate`.
    """
    tokens = _tokens_of_one_statement(sql)
    start = tokens[0].text.upper()
    if start == "EXPLAIN":
        guard(_split_explain(_rest(tokens))[1], catalog=catalog)
    elif start in QUERY_STARTS:
        _parse(_text(sql, tokens), catalog)
    else:
        translate(sql, catalog=catalog)
    return _text(sql, tokens)


def _tokens(sql: str) -> list[Token]:
    try:
        # Athena's own tokenizer marks what would go to Hive; queries never do.
        return sqlglot.tokenize(sql, read="trino")
    except TokenError as error:
        message = "syntax error: a quote or a comment is not closed"
        raise QueryError(message) from error


def _text(sql: str, tokens: list[Token]) -> str:
    return sql[: tokens[-1].end + 1]


def _rest(tokens: list[Token]) -> str:
    """What follows SHOW or EXPLAIN, which the tokenizer leaves as one text."""
    return tokens[1].text if len(tokens) > 1 else ""


def _tokens_of_one_statement(sql: str) -> list[Token]:
    tokens = _tokens(sql)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        message = "there is no query"
        raise QueryError(message)
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        message = "only one statement at a time: there is more after the first semicolon"
        raise QueryError(message)
    return tokens


def _query(sql: str, catalog: Catalog) -> Statement:
    tree, tables = _parse(sql, catalog)
    _name_as_athena_does(tree)
    return Statement(sql=to_duckdb(tree), tables=tables)


def _parse(sql: str, catalog: Catalog) -> tuple[exp.Expr, frozenset[tuple[str, str]]]:
    """The tree of a query that only reads, and the lake's tables and views that it names."""
    try:
        tree = sqlglot.parse_one(sql, read="athena")
    except ParseError as error:
        raise QueryError(_syntax_error(sql, error)) from error
    _refuse_writes(tree)
    local = frozenset(cte.alias.lower() for cte in tree.find_all(exp.CTE))
    resolved = [catalog.resolve(_without_athena_catalog(table), local) for table in tree.find_all(exp.Table)]
    return tree, frozenset(filter(None, resolved))


def to_duckdb(tree: exp.Expr) -> str:
    """DuckDB's SQL of a tree that was parsed from Athena's.

    Raises:
        QueryError: it contains something that DuckDB cannot do.
    """
    try:
        return rewrite(tree).sql(dialect="duckdb", comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        message = f"not available here, though Athena may know it: {error}"
        raise QueryError(message) from error


def _refuse_writes(tree: exp.Expr) -> None:
    if not isinstance(tree, QUERY_ROOTS):
        message = "only queries can be run: the lake is read only here"
        raise QueryError(message)
    for node in tree.walk():
        if isinstance(node, (exp.DML, exp.DDL, exp.Into, exp.Command)) and not isinstance(node, QUERY_ROOTS):
            message = f"{node.key.upper()} cannot be part of a query: the lake is read only here"
            raise QueryError(message)
        if isinstance(node, exp.Version):
            message = "Athena has no AS OF for Hudi and Delta tables: give the time as --as-of, it holds for all tables"
            raise QueryError(message)


def _name_as_athena_does(tree: exp.Expr) -> None:
    """Columns without a name are `_col0`, `_col1`, … by their place."""
    for index, column in enumerate(tree.selects if isinstance(tree, exp.Query) else ()):
        if not isinstance(column, (exp.Alias, exp.Aliases, exp.Column, exp.Dot, exp.Star)):
            column.replace(exp.alias_(column.copy(), f"_col{index}"))


def _without_athena_catalog(table: exp.Table) -> exp.Table:
    if table.catalog.lower() == ATHENA_CATALOG:
        table.set("catalog", None)
    return table


def _explain(query: str, catalog: Catalog) -> Statement:
    prefix, query = _split_explain(query)
    explained = translate(query, catalog=catalog)
    return Statement(sql=f"{prefix} {explained.sql}", tables=explained.tables, parameters=explained.parameters)


def _split_explain(rest: str) -> tuple[str, str]:
    """EXPLAIN or EXPLAIN ANALYZE, and the query after it."""
    first, _, query = rest.lstrip().partition(" ")
    return ("EXPLAIN ANALYZE", query) if first.upper() == "ANALYZE" else ("EXPLAIN", rest)


def _show(tokens: list[Token], catalog: Catalog) -> Statement:
    words = [token.text for token in tokens]
    in_what = tokens[2:] if len(words) > 2 and words[1].upper() in ("IN", "FROM") else []
    match words[0].upper() if words else "":
        case "COLUMNS" if in_what:
            return _describe(in_what, catalog)
        case "DATABASES" | "SCHEMAS":
            return _listing("database", catalog.names)
        case "TABLES":
            schema = catalog.schema(in_what[0].text if in_what else DEFAULT_SCHEMA)
            pattern = words[-1] if tokens[-1].token_type is TokenType.STRING else "*"
            # Athena's patterns: `*` is any text, `|` is or.
            matches = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\|", "|"), re.IGNORECASE).fullmatch
            return _listing("table", filter(matches, catalog.names[schema]))
    message = "SHOW what? There are SHOW TABLES [IN database] ['text*'], SHOW DATABASES and SHOW COLUMNS IN table"
    raise QueryError(message)


def _describe(name: list[Token], catalog: Catalog) -> Statement:
    try:
        table = exp.to_table("".join(token.text for token in name), dialect="athena")
    except ParseError as error:
        message = "DESCRIBE what? Put the name of a table after it"
        raise QueryError(message) from error
    found = catalog.resolve(_without_athena_catalog(table), frozenset())
    if found is None:
        message = f"{table.name} describes itself: select from it"
        raise QueryError(message)
    return Statement(
        sql="SELECT column_name AS name, lower(data_type) AS type, comment AS description FROM duckdb_columns() "
        "WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
        tables=frozenset({found}),
        parameters=found,
    )


def _listing(column: str, names: Iterable[str]) -> Statement:
    return Statement(sql=f'SELECT unnest(?::VARCHAR[]) AS "{column}"', parameters=(sorted(names),))


def _syntax_error(sql: str, error: ParseError) -> str:
    """What was expected, and the line with a mark below the place."""
    first = error.errors[0]
    line, end = first["line"], first["col"]
    text = sql.splitlines()[line - 1] if line <= len(sql.splitlines()) else ""
    width = max(len(first["highlight"]), 1)
    mark = " " * max(end - width, 0) + "^" * width
    # sqlglot names a class of its own where an operand is missing.
    what = "something is missing" if "<class" in first["description"] else first["description"]
    return f"syntax error in line {line}: {what}\n  {text}\n  {mark}"
