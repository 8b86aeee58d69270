"""`tailrace dlq`: lists dead letters, sends them again, or drops them."""

import os
from collections.abc import Callable, Collection
from threading import Event
from typing import Annotated

import typer

from cli import STYLE
from cli.completion import job_names, reasons
from cli.letters import as_fields, list_each, list_groups
from cli.signals import INTERRUPTED, at_first_signal
from cli.terminal import record, remark, say
from contracts.errors import QueueUnavailable, TailraceError
from contracts.jobs_file import load_jobs
from operations.dead_choice import Choice, to_send
from operations.dead_letters import DeadLetters, Replay, blobs_of
from producer.ask import job_named
from settings import Settings

dlq = typer.Typer(no_args_is_help=True, **STYLE)


@dlq.callback()
def _dlq() -> None:
    """See what could not succeed, send it again, or drop it."""


_Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="SEQUENCE", show_default=False, help="Sequence numbers, as `dlq list` shows them."),
]
_Reason = Annotated[
    str | None, typer.Option(metavar="R", show_default=False, help="Those of this reason.", autocompletion=reasons)
]
_Job = Annotated[
    str | None, typer.Option(metavar="J", show_default=False, help="Those of this job.", autocompletion=job_names)
]
_Every = Annotated[bool, typer.Option("--all", help="All of them.")]


@dlq.command(name="list")
def list_(
    *,
    reason: _Reason = None,
    job: _Job = None,
    each: Annotated[bool, typer.Option("--each", help="List each letter, with all its fields.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="With --each: at most so many, the oldest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List dead letters by reason and job, and leave them in place.

    stale counts those whose blob exists by now. The reasons are listed in docs/reference/message_states.md.

    Example: tailrace dlq list --each --reason TableMissing
    """
    settings = Settings.from_env(os.environ, postgres=False)
    choice = Choice(frozenset(), reason, job)
    with DeadLetters(settings) as letters:
        found = filter(choice.means, letters.peek())
        count = (
            list_each(settings, found, limit, as_json=as_json)
            if each
            else list_groups(settings, found, as_json=as_json)
        )
    if not count and not as_json:
        say(f"queue {settings.queue!r} has no {'such ' if reason or job else ''}dead letters")


@dlq.command()
def show(
    sequence: Annotated[int, typer.Argument(metavar="SEQUENCE", show_default=False, help="Its sequence number.")],
) -> None:
    """Show one dead letter with its whole body.

    Example: tailrace dlq show 17
    """
    settings = Settings.from_env(os.environ, postgres=False)
    with DeadLetters(settings) as letters:
        (letter,) = Choice(frozenset({sequence})).among(letters.peek(), {})
    fields = as_fields(letter)
    if letter.request:
        fields["body"] = letter.body.decode()
    record(f"{fields.pop('sequence_number')}  {fields.pop('reason') or '(no reason)'}", fields)


@dlq.command()
def replay(
    sequence: _Numbers = None,
    *,
    reason: _Reason = None,
    job: _Job = None,
    every: _Every = False,
    as_sent: Annotated[
        bool, typer.Option("--as-sent", help="Send the stored requests, whatever jobs.toml says.")
    ] = False,
) -> None:
    """Send dead letters to the queue again, as first attempts.

    Each request is rebuilt from today's jobs.toml.

    Sequence numbers, --reason and --job narrow each other down. A dead letter is removed once its request is on the
    queue; all others stay. New dead letters that arrive meanwhile are not replayed.
    """
    choice = Choice.of(frozenset(sequence or ()), reason, job, every=every)
    settings = Settings.from_env(os.environ, postgres=False)
    with DeadLetters(settings) as letters:
        chosen = choice.among(letters.peek(), {})
        sent = {letter.sequence_number: Replay() for letter in chosen}
        if not as_sent:
            sent, refused = to_send(chosen, load_jobs(settings.jobs))
            for number, why in refused.items():
                remark(f"{number} was not replayed: {why}; `dlq drop` deletes it, --as-sent sends it as it is")
        if sent:
            _carry_out("replayed", sent, lambda done, stopping: letters.replay(sent, done, stopping))
        elif not chosen:
            _say_none(settings, job)


@dlq.command()
def drop(
    sequence: _Numbers = None,
    *,
    reason: _Reason = None,
    job: _Job = None,
    every: _Every = False,
    stale: Annotated[bool, typer.Option("--stale", help="Those whose blob exists by now.")] = False,
) -> None:
    """Delete dead letters for good. Their windows are asked for again at the next tick if their blobs are missing.

    Example: tailrace dlq drop --stale
    """
    choice = Choice.of(frozenset(sequence or ()), reason, job, every=every, stale=stale)
    settings = Settings.from_env(os.environ, postgres=False)
    with DeadLetters(settings) as letters:
        found = list(letters.peek())
        chosen = choice.among(found, blobs_of(settings, (one.request for one in found if one.request)) if stale else {})
        numbers = [letter.sequence_number for letter in chosen]
        if numbers:
            _carry_out("dropped", numbers, lambda done, stopping: letters.drop(numbers, done, stopping))
        else:
            _say_none(settings, job)


def _say_none(settings: Settings, job: str | None) -> None:
    """Says that no dead letter is meant, and if jobs.toml has no such job, which one may be."""
    say("no dead letter matches; `tailrace dlq list` shows those that there are")
    if job is not None:
        try:
            job_named(load_jobs(settings.jobs), job)
        except TailraceError as error:
            remark(error.explained)


def _carry_out(verb: str, chosen: Collection[int], act: Callable[[Callable[[int], object], Event], object]) -> None:
    """Acts until done or interrupted, and says how many it did."""
    done: list[int] = []
    # The SDK cannot be used after an interrupted call.
    stopping = Event()
    try:
        with at_first_signal(stopping.set):
            act(done.append, stopping)
    finally:
        say(f"{verb} {len(done):,} of {len(chosen):,} dead letters")
    left = len(chosen) - len(done)
    if left and stopping.is_set():
        raise typer.Exit(INTERRUPTED)
    if left:
        raise QueueUnavailable(
            f"{left:,} of the dead letters could not be received: another process holds their locks, "
            "for five minutes at most, or has settled them",
            advice="run it again later",
        )
