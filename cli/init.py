"""`tailrace init`: a first jobs.toml, from the tables that are there."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.ranges import AsJson
from cli.terminal import record, remark
from contracts.errors import ConfigurationError
from operations.first_jobs import Proposal, proposals, said_of, size_of, text_of
from operations.survey import Surveyed, survey
from producer.ask import AskRefused
from settings import Settings


def init(
    *,
    schema: Annotated[
        list[str] | None, typer.Option(metavar="S", show_default="all", help="Tables of this schema; repeatable.")
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(metavar="T", show_default="all", help="This table, as schema.table; repeatable.")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write jobs.toml; - prints it.")] = Path(
        "jobs.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the tables of the database, and write a first jobs.toml for them.

    Shows of each table its size, its rows as last analyzed, and the columns that windows could be cut by, with what
    speaks for and against them. Reads the catalogue and the ends of indexes, and no other rows. Needs the settings of
    PostgreSQL only. Look the file over, then check it by `tailrace jobs`.

    Example: tailrace init --schema events --output jobs.toml

    Example: tailrace init --table events.clicks --output -
    """
    is_printed = str(output) == "-"
    _refuse_overwriting(output, is_allowed=force or is_printed)
    settings, now = Settings.from_env(os.environ, queue=False, storage=False), datetime.now(UTC)
    found = list(survey(settings, schema or (), table or ()))
    proposed = proposals(found)
    if not proposed:
        what = "the tables that are named" if schema or table else "any table"
        raise AskRefused(
            f"role {settings.pg_user!r} can read none of {what} in database {settings.pg_database!r}",
            advice="check --schema and --table, and run what `tailrace grants` prints",
        )
    text = text_of(proposed, [one for one in found if not one.is_readable], _source(settings), now)
    if is_printed:
        sys.stdout.write(text)
        return
    for one in found:
        _show(one, next((each for each in proposed if each.table is one), None), as_json=as_json)
    _write(output, text, force=force)
    jobs = f"{len(proposed):,} {'job' if len(proposed) == 1 else 'jobs'}"
    remark(f"wrote {output} with {jobs}; look it over, then: tailrace jobs --jobs {output}")


def _source(settings: Settings) -> str:
    return f"{settings.pg_database} on {settings.pg_host}"


def _refuse_overwriting(output: Path, *, is_allowed: bool) -> None:
    if output.exists() and not is_allowed:
        raise AskRefused(f"{output} is there already", advice="--force overwrites it, --output - prints the new one")


def _write(output: Path, text: str, *, force: bool) -> None:
    """Writes the whole file or nothing; one that came meanwhile is overwritten only if asked."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        _refuse_overwriting(output, is_allowed=force)
        draft.replace(output)
    except OSError as error:
        raise ConfigurationError(
            f"{output} cannot be written: {error.strerror}", advice="name another --output"
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _show(table: Surveyed, proposal: Proposal | None, *, as_json: bool) -> None:
    if as_json:
        chosen = proposal and {
            "column": proposal.column.column if proposal.column else None,
            "every": proposal.every,
            "size": proposal.size,
        }
        print(json.dumps({**asdict(table), "proposed": chosen}, default=str))
        return
    fields: dict[str, object] = {"size": size_of(table)}
    if proposal is None:
        fields["left out"] = "this role may not read it"
    elif proposal.column is None:
        fields["export"] = "the whole table, each night"
    else:
        length = proposal.every or f"{proposal.size:,} numbers"
        fields["export"] = f"by windows of {length} of {said_of(proposal.column)}"
    others = [one for one in table.candidates if proposal is None or one != proposal.column]
    fields["or by"] = "; ".join(map(said_of, others)) or None
    record(f"{table.schema}.{table.table}", fields)
