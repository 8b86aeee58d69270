"""The entries of jobs.toml, one for each job: `tables` is spread out, and `[defaults]` are filled in."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

# What makes a nested table another kind of thing, to which the keys of the default do not apply.
_KINDS = {"window": "type", "output": "format"}
_OWN = ("name", "table", "tables", "query")


class Entry(NamedTuple):
    """One job as it is written: its number in the file, and its keys; or the one problem that it has."""

    number: int
    keys: object
    problem: str | None = None


def entries_of(written: list[object], defaults: Mapping[str, object]) -> Iterator[Entry]:
    """Each job of the `[[job]]` tables.

    >>> table = {"name": "{table}-daily", "schema": "s", "tables": ["a", "t.b"]}
    >>> for entry in entries_of([table], {"blob": "x", "window": {"column": "at"}}):
    ...     print(entry.keys["name"], entry.keys["schema"], entry.keys["table"], entry.keys["window"])
    a-daily s a {'column': 'at'}
    b-daily t b {'column': 'at'}
    """
    for number, one in enumerate(written, 1):
        if not isinstance(one, Mapping):
            yield Entry(number, one)
        elif "tables" not in one:
            yield Entry(number, _with_defaults(one, defaults))
        elif problem := _problem(one, defaults):
            yield Entry(number, one, problem)
        else:
            for table in one["tables"]:
                yield Entry(number, _named(_with_defaults(_of_table(one, str(table)), defaults)))


def defaults_problems(defaults: object) -> Iterator[str]:
    """What is wrong with `[defaults]`, whichever job it is filled into."""
    if not isinstance(defaults, Mapping):
        yield "defaults: must be a table of keys and values"
        return
    yield from (f"defaults: {key} belongs into each [[job]]" for key in _OWN if key in defaults)


def _with_defaults(job: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """A job's own keys count more. `false` for a nested table leaves it out; a query has no schema and columns."""
    left_out = {"schema", "columns"} if "query" in job else set()
    filled = {key: value for key, value in defaults.items() if key not in left_out} | dict(job)
    for key, kind in _KINDS.items():
        own, default = job.get(key), defaults.get(key)
        if own is False:
            del filled[key]
        elif isinstance(own, Mapping) and isinstance(default, Mapping):
            is_same = own.get(kind, default.get(kind)) == default.get(kind)
            filled[key] = {**default, **own} if is_same else own
    return filled


def _problem(job: Mapping[str, object], defaults: Mapping[str, object]) -> str | None:
    tables = job["tables"]
    if not isinstance(tables, list) or not tables or not all(isinstance(one, str) and one for one in tables):
        return 'tables: must be a list of names, such as ["events.clicks", "events.orders"]'
    if others := [key for key in ("table", "query") if key in job]:
        return f"tables: {others[0]} excludes it"
    if "schema" not in job and "schema" not in defaults and (bare := [one for one in tables if "." not in one]):
        return f"tables: {bare[0]} has no schema; write it as schema.table, or give the job a schema"
    name = job.get("name", "")
    if len(tables) > 1 and isinstance(name, str) and name and "{table}" not in name:
        return "name: several tables would have it; put {table} into it, or leave it out"
    return None


def _of_table(job: Mapping[str, object], table: str) -> dict[str, object]:
    """The keys of one of the tables. Its name is schema.table if the entry has none."""
    schema, dot, bare = table.partition(".")
    keys = {key: value for key, value in job.items() if key != "tables"}
    keys |= {"schema": schema, "table": bare} if dot else {"table": table}
    return {"name": "{schema}.{table}", **keys}


def _named(job: dict[str, object]) -> dict[str, object]:
    name = job["name"]
    if isinstance(name, str):
        for key in ("schema", "table"):
            name = name.replace(f"{{{key}}}", str(job[key]))
    return {**job, "name": name}
