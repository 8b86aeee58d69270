"""The `tailrace` command: its subcommands, and how their errors are reported.

Exit status: 0 done, 1 failed, 2 wrong settings, jobs.toml or arguments, 130 interrupted.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Annotated, Any, override

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.core import TyperGroup

from cli import STYLE, VERSION
from cli.signals import INTERRUPTED
from cli.terminal import complain, remark, say
from contracts.errors import ConfigurationError, TailraceError
from telemetry.events import quiet_sdks

# Each command, in the order of the help, and its module in this folder.
_MODULES = {
    "init": "init",
    "status": "status",
    "missing": "status",
    "running": "running",
    "watch": "running",
    "history": "history",
    "show": "show",
    "ui": "ui",
    "jobs": "jobs",
    "submit": "submit",
    "export": "export",
    "backfill": "backfill",
    "backfills": "backfills",
    "cancel": "backfills",
    "pause": "pause",
    "resume": "pause",
    "dlq": "dlq",
    "audit": "audit",
    "verify": "verify",
    "restore": "restore",
    "tick": "tick",
    "work": "work",
    "grants": "grants",
    "doctor": "doctor",
    "completion": "completion",
}


class _Loaded(Mapping[str, Any]):
    """The commands; each is loaded when it is looked up, since all together take twice as long as most of them."""

    @override
    def __getitem__(self, name: str) -> Any:
        return _load(name)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    @override
    def __len__(self) -> int:
        return len(_MODULES)


@cache
def _load(name: str) -> Any:
    found = getattr(import_module(f"cli.{_MODULES[name]}"), name)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(**STYLE)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command


@contextmanager
def _interruptible() -> Iterator[None]:
    """Says so if a command that has nothing more to say is interrupted; Typer would end it without a word."""
    try:
        yield
    except KeyboardInterrupt:
        remark("interrupted")
        raise typer.Exit(INTERRUPTED) from None


class Commands(TyperGroup):
    """A group that turns the project's errors into lines on stderr and an exit status."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = _Loaded()

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # Typer truncates a long first line; this wraps it.
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=1000)) for name, one in self.commands.items()])

    @override
    def resolve_command(self, ctx: Any, args: Any) -> Any:
        if args[:1] == ["drill"]:  # as the timer, the settings and the documentation call it
            ctx.fail("there is no command 'drill'; `tailrace restore JOB --check` is a drill")
        return super().resolve_command(ctx, args)

    @override
    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _interruptible():
            return super().make_context(*arguments, **options)

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            with _interruptible():
                return super().invoke(ctx)
        except TailraceError as error:
            from producer.ask import AskRefused  # what could raise it has loaded it

            complain(error.explained.splitlines())
            raise typer.Exit(2 if isinstance(error, (ConfigurationError, AskRefused)) else 1) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, **STYLE)
completion_init()  # the program answers the scripts, which call it with a variable set


def _version(wanted: bool) -> None:
    if wanted:
        say(f"tailrace {VERSION}, {_compiled()}")
        raise typer.Exit


def _compiled() -> str:
    # Only --version asks, and every command would load them.
    from worker.native.library import why_not
    from worker.native.targets import built

    if not (targets := built()):
        return "without the compiled library, which Parquet needs and gzip is faster by"
    here = "" if (refused := why_not()) is None else f"; refused here: {refused}"
    return f"compiled for {', '.join(targets)}{here}"


@app.callback()
def tailrace(
    *,
    version: Annotated[  # noqa: ARG001  # its callback has acted on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Export PostgreSQL tables and queries to Azure Blob Storage."""
    quiet_sdks()
