"""Pure: why a value cannot go into a column of a Parquet file, and what to do about it."""

from enum import IntEnum

from contracts.errors import SourceRejected, SourceUnavailable


class Trouble(IntEnum):
    """As in columns.c."""

    NONE = 0
    MALFORMED = 1
    NOT_FINITE = 2
    OUT_OF_RANGE = 3
    DIMENSIONS = 4
    NO_MEMORY = 5


def malformed_rows(subject: str) -> SourceRejected:
    """The error of rows that do not have the columns of the export."""
    says = f"export of {subject} was refused: PostgreSQL sent rows in a form that is not this COPY's"
    return SourceRejected(says, advice="export them as csv", reason="NotSupported")


def refusal(
    trouble: Trouble, subject: str, column: str, type_: str, *, is_decimal: bool
) -> SourceRejected | SourceUnavailable:
    """The error of a value of `column`, whose type in the file is `type_`.

    >>> print(refusal(Trouble.OUT_OF_RANGE, "s.t", "at", "timestamp[us]", is_decimal=False).explained)
    export of s.t was refused: column 'at' holds a value that timestamp[us] cannot hold: it is out of range; \
cast the column to text in a query
    """
    advice, refused = "cast the column to text in a query", f"export of {subject} was refused: column {column!r} "
    match trouble:
        case Trouble.NO_MEMORY:
            says = f"export of {subject} failed: not enough memory for a value of column {column!r}"
            return SourceUnavailable(says, reason="OutOfMemory")
        case Trouble.DIMENSIONS:
            says = f"{refused}holds an array, and an array of several dimensions is no Parquet list"
            return SourceRejected(says, advice="cast the column to text or jsonb in a query", reason="NotSupported")
        case Trouble.NOT_FINITE:
            why = "it is NaN or infinite"
            advice = "cast the column to text or float8 in a query" if is_decimal else advice
        case Trouble.OUT_OF_RANGE:
            why = "it is out of range"
        case _:
            why = "PostgreSQL sent it in a form that is not the type's"
    says = f"{refused}holds a value that {type_} cannot hold: {why}"
    return SourceRejected(says, advice=advice, reason="QueryFails")
