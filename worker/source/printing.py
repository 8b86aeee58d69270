"""Pure: which exports read binary rows and print PostgreSQL's CSV here, and what they select.

A binary COPY saves the server the text of times, UUIDs and JSON, and the search for what asks for quotes; it costs a
little for numbers and short texts. docs/decisions/0022-printed-csv.md has the measurements.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import postgres, sql

from contracts.output import Output
from worker.native.printer import Kind
from worker.source.snapshot import Described


class _Type(NamedTuple):
    """How a type is printed, its bytes in a row, and the CPU time that one value saves, in ns of server and client."""

    kind: Kind
    width: int
    saves: int


# Texts differ in size: what they save is counted by their bytes.
_TEXTS = {name: _Type(Kind.TEXT, 0, -22) for name in ("text", "varchar", "bpchar", "name", "json")}
_TYPES = _TEXTS | {
    "jsonb": _Type(Kind.JSONB, 0, -22),
    "bytea": _Type(Kind.BYTEA, 0, -22),
    "bool": _Type(Kind.BOOL, 1, -14),
    "int2": _Type(Kind.INT2, 2, -11),
    "int4": _Type(Kind.INT4, 4, -13),
    "int8": _Type(Kind.INT8, 8, -2),
    "numeric": _Type(Kind.NUMERIC, 6, -28),
    "uuid": _Type(Kind.UUID, 16, 35),
    "date": _Type(Kind.DATE, 4, 29),
    "time": _Type(Kind.TIME, 8, 25),
    "timestamp": _Type(Kind.TIMESTAMP, 8, 57),
    "timestamptz": _Type(Kind.TIMESTAMPTZ, 8, 97),
}
_BY_OID = {postgres.types[name].oid: type_ for name, type_ in _TYPES.items()}
# Any other type is made a text by the server, and only then sent.
_OTHER = _Type(Kind.TEXT, 8, -33)
_SAVED_PER_BYTE = 1

type Function = tuple[str, str]  # schema and name


@dataclass(frozen=True, slots=True)
class Printing:
    """How each column arrives, and what turns it into CSV.

    `functions` are those by which the server makes a text of a column that is not printed here. `header` is the line
    of names, empty if there is none.
    """

    kinds: tuple[Kind, ...]
    functions: tuple[Function | None, ...]
    delimiter: bytes
    null: bytes
    header: bytes


def is_worth_printing(columns: Sequence[Described], row_bytes: float) -> bool:
    """Whether it saves CPU time to print rows of such columns here. `row_bytes` is a row's size as it is stored.

    >>> clicks = [Described(*one) for one in (("id", 20, -1), ("at", 1184, -1), ("url", 25, -1))]
    >>> is_worth_printing(clicks, 60), is_worth_printing(clicks[:1] * 9, 72), is_worth_printing([], 0)
    (True, False, False)
    """
    types = [_BY_OID.get(column.oid, _OTHER) for column in columns]
    texts = max(0.0, row_bytes - sum(type_.width for type_ in types)) if any(not type_.width for type_ in types) else 0
    return sum(type_.saves for type_ in types) + _SAVED_PER_BYTE * texts > 0


def types_to_convert(columns: Iterable[Described]) -> set[int]:
    """The oids of those types that the server has to make texts of."""
    return {column.oid for column in columns} - _BY_OID.keys()


def printing_of(columns: Sequence[Described], output: Output, functions: Mapping[int, Function]) -> Printing:
    """How the columns are printed. `functions` are the output functions of types_to_convert, by oid."""
    kinds = tuple(_BY_OID.get(column.oid, _OTHER).kind for column in columns)
    header = _header([column.name for column in columns], output) if output.header else b""
    converting = tuple(None if column.oid in _BY_OID else functions[column.oid] for column in columns)
    return Printing(kinds, converting, output.delimiter.encode(), output.null.encode(), header)


def binary_copy(selected: sql.Composable, printing: Printing) -> sql.Composed:
    """The COPY that `printing` reads.

    >>> columns = [Described("a", 20, -1), Described("a", 701, -1)]
    >>> printing = printing_of(columns, Output(), {701: ("pg_catalog", "float8out")})
    >>> print(binary_copy(sql.SQL("SELECT 1"), printing).as_string())
    COPY (SELECT c0, pg_catalog.textin("pg_catalog"."float8out"(c1)) FROM (SELECT 1) AS source (c0, c1)) \
TO STDOUT (FORMAT binary)
    """
    if any(printing.functions):
        # textin of the output function gives what COPY prints; a cast to text does not.
        names = [sql.SQL(f"c{number}") for number in range(len(printing.functions))]
        wanted = [
            sql.SQL("pg_catalog.textin({}({}))").format(sql.Identifier(*function), name) if function else name
            for name, function in zip(names, printing.functions, strict=True)
        ]
        comma = sql.SQL(", ")
        selected = sql.SQL("SELECT {} FROM ({}) AS source ({})").format(comma.join(wanted), selected, comma.join(names))
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(selected)


def _header(names: Sequence[str], output: Output) -> bytes:
    r"""The line of names, as COPY writes it.

    >>> for names in (["id", 'a"b', "c,d", "n"], ["\\."]):
    ...     print(_header(names, Output(null="n")).decode(), end="")
    id,"a""b","c,d","n"
    "\."
    """
    line = output.delimiter.join(_field(name, output, is_alone=len(names) == 1) for name in names)
    return f"{line}\n".encode()


def _field(text: str, output: Output, *, is_alone: bool) -> str:
    is_special = text == output.null or (is_alone and text == "\\.")
    if is_special or any(one in text for one in f'{output.delimiter}"\n\r'):
        return '"{}"'.format(text.replace('"', '""'))
    return text
