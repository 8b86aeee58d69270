"""`tailrace dlq`: lists dead letters, and sends them again."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import Annotated

import typer

from cli.signals import at_first_signal
from cli.terminal import record, remark, say
from contracts.errors import QueueUnavailable
from operations.dead_letters import DeadLetters, DeadMessage
from producer.ask import AskRefused
from settings import Settings

_FIRST_BYTES = 120

dlq = typer.Typer(no_args_is_help=True)


@dlq.callback()
def _dlq() -> None:
    """See what could not succeed, and send it again."""


@dlq.command(name="list")
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List dead letters with their reasons, without taking them.

    attempt is the number that the message carried; the reasons are listed in docs/message_states.md.
    """
    settings = Settings.from_env(os.environ)
    with DeadLetters(settings) as letters:
        found = list(islice(letters.peek(), limit + 1))
    for letter in found[:limit]:
        if as_json:
            print(json.dumps(as_fields(letter)))
        else:
            fields = as_fields(letter)
            record(f"{fields.pop('sequence_number')}  {fields.pop('reason') or '(no reason)'}", fields)
    if not found and not as_json:
        say(f"queue {settings.queue!r} has no dead letters")
    if len(found) > limit:
        remark(f"there are more than {limit:,}; see them with --limit")


@dlq.command()
def replay(
    sequence: Annotated[
        list[int] | None,
        typer.Argument(metavar="SEQUENCE", show_default=False, help="Sequence numbers, as `dlq list` shows them."),
    ] = None,
    *,
    reason: Annotated[str | None, typer.Option(metavar="R", show_default=False, help="Those of this reason.")] = None,
    job: Annotated[str | None, typer.Option(metavar="J", show_default=False, help="Those of this job.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Send dead letters to the queue again, as first attempts.

    Sequence numbers, --reason and --job narrow each other down. Each is removed from the dead letters once it is
    on the queue; all others stay. What becomes a dead letter meanwhile is not replayed.
    """
    choice = Choice.of(frozenset(sequence or ()), reason, job, every=every)
    settings = Settings.from_env(os.environ)
    with DeadLetters(settings) as letters:
        if chosen := choice.among(letters.peek()):
            _replay(letters, chosen)
        else:
            say("no dead letter matches")


def _replay(letters: DeadLetters, chosen: set[int]) -> None:
    """Replays until done or interrupted, and says how far it came."""
    replayed: list[int] = []
    # The SDK cannot be interrupted in the middle of a call and go on being used.
    stopping = Event()
    try:
        with at_first_signal(stopping.set):
            letters.replay(chosen, replayed.append, stopping)
    finally:
        say(f"replayed {len(replayed):,} of {len(chosen):,} dead letters")
    left = len(chosen) - len(replayed)
    if left and stopping.is_set():
        raise KeyboardInterrupt
    if left:
        raise QueueUnavailable(
            f"{left:,} of the dead letters could not be received: somebody else holds their locks, "
            "for five minutes at most, or has settled them; run it again later"
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant; what is None or empty leaves none out."""

    numbers: frozenset[int]
    reason: str | None
    job: str | None

    @classmethod
    def of(cls, numbers: frozenset[int], reason: str | None, job: str | None, *, every: bool) -> "Choice":
        """The choice of a command line. Raises AskRefused where it chooses nothing, or contradicts itself."""
        narrowed = bool(numbers) or reason is not None or job is not None
        if every and narrowed:
            raise AskRefused("--all means every dead letter; leave it out to choose by number, --reason or --job")
        if not every and not narrowed:
            raise AskRefused("say which dead letters: their sequence numbers, --reason, --job, or --all")
        return cls(numbers, reason, job)

    def among(self, letters: Iterable[DeadMessage]) -> set[int]:
        """The sequence numbers of the chosen ones. Raises AskRefused where a number is not among them."""
        seen: set[int] = set()
        chosen: set[int] = set()
        for letter in letters:
            seen.add(letter.sequence_number)
            if self._means(letter):
                chosen.add(letter.sequence_number)
        if unknown := self.numbers - seen:
            raise AskRefused(f"there are no dead letters {', '.join(map(str, sorted(unknown)))}; nothing was replayed")
        return chosen

    def _means(self, letter: DeadMessage) -> bool:
        return (
            (not self.numbers or letter.sequence_number in self.numbers)
            and self.reason in {None, letter.reason}
            and self.job in {None, letter.job}
        )


def as_fields(letter: DeadMessage) -> dict[str, object]:
    """What is shown of a dead letter; of a body that is no request, how it begins."""
    begins = ascii(letter.body[:_FIRST_BYTES]) + ("…" if len(letter.body) > _FIRST_BYTES else "")
    return {
        "sequence_number": letter.sequence_number,
        "reason": letter.reason,
        "description": letter.description,
        "job": letter.job,
        "blob": letter.request.blob if letter.request else None,
        "body": None if letter.request else f"{len(letter.body):,} bytes, {begins}",
        "attempt": letter.attempt,
        "enqueued": letter.enqueued_at.isoformat(timespec="seconds") if letter.enqueued_at else None,
        "message_id": letter.message_id,
    }
