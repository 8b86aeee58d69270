"""The `tailrace` command: its subcommands, and how their errors are reported.

Exit status: 0 done, 1 failed, 2 wrong settings, jobs.toml or arguments, 130 interrupted.
"""

from typing import Annotated, Any, override

import typer
from typer.core import TyperGroup

from cli import VERSION, completion
from cli.audit import audit
from cli.backfill import backfill
from cli.backfills import backfills, cancel
from cli.dlq import dlq
from cli.doctor import doctor
from cli.export import export
from cli.grants import grants
from cli.history import history
from cli.init import init
from cli.jobs import jobs
from cli.pause import pause, resume
from cli.restore import restore
from cli.running import running, watch
from cli.show import show
from cli.status import missing, status
from cli.submit import submit
from cli.terminal import complain, say
from cli.tick import tick
from cli.ui import ui
from cli.verify import verify
from cli.work import work
from contracts.errors import ConfigurationError, TailraceError
from producer.ask import AskRefused
from telemetry.events import quiet_sdks


class Commands(TyperGroup):
    """A group that turns the project's errors into lines on stderr and an exit status."""

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # Typer truncates a long first line; this wraps it.
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=1000)) for name, one in self.commands.items()])

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TailraceError as error:
            complain(error.explained.splitlines())
            raise typer.Exit(2 if isinstance(error, (ConfigurationError, AskRefused)) else 1) from None


# Ordinary tracebacks: prettier ones could show local variables, which may hold secrets.
app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,  # `tailrace completion` prints the scripts
)
completion.prepare()


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


app.command()(init)
app.command()(status)
app.command()(missing)
app.command()(running)
app.command()(watch)
app.command()(history)
app.command()(show)
app.command()(ui)
app.command()(jobs)
app.command()(submit)
app.command()(export)
app.command()(backfill)
app.command()(backfills)
app.command()(cancel)
app.command()(pause)
app.command()(resume)
app.add_typer(dlq, name="dlq")
app.command()(audit)
app.command()(verify)
app.command()(restore)
app.command()(tick)
app.command()(work)
app.command()(grants)
app.command()(doctor)
app.command()(completion.completion)
