"""Pure: how a table is stored, as far as splitting it is concerned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that holds rows, and its size in pages."""

    schema: str
    table: str
    pages: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`kind` is pg_class.relkind: r table, p partitioned, m materialized view, v view, f foreign.

    `leaves` is empty if they cannot be read one by one: one of them is foreign or not readable by this role, or the
    parent or one of them has row-level security.
    """

    kind: str
    columns: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    has_tid_range_scans: bool
