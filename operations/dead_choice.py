"""Pure: which dead letters are meant, and what is sent for each of them again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from operations.dead_letters import DeadMessage, Replay
from producer.ask import AskRefused
from producer.asking import blob_state
from producer.facts import Present
from producer.schedule import rebuilt


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant; what is None or empty leaves none out. `stale`: only those whose blob is there."""

    numbers: frozenset[int]
    reason: str | None = None
    job: str | None = None
    stale: bool = False

    @classmethod
    def of(
        cls, numbers: frozenset[int], reason: str | None, job: str | None, *, every: bool, stale: bool = False
    ) -> "Choice":
        """The choice of a command line. Raises AskRefused if it chooses nothing, or contradicts itself."""
        narrowed = bool(numbers) or reason is not None or job is not None or stale
        if every and narrowed:
            raise AskRefused(
                "--all means every dead letter", advice="leave it out to choose by number, --reason or --job"
            )
        if not every and not narrowed:
            raise AskRefused("say which dead letters", advice="their sequence numbers, --reason, --job, or --all")
        return cls(numbers, reason, job, stale)

    def among(self, letters: Iterable[DeadMessage], present: Mapping[str, Present]) -> list[DeadMessage]:
        """The chosen ones; `present` are the blobs that are there. Raises AskRefused if a number is not among them."""
        seen: set[int] = set()
        chosen = []
        for letter in letters:
            seen.add(letter.sequence_number)
            if self.means(letter) and (not self.stale or is_stale(letter, present)):
                chosen.append(letter)
        if unknown := self.numbers - seen:
            numbers = ", ".join(map(str, sorted(unknown)))
            lacking = "there are no dead letters" if len(unknown) > 1 else "there is no dead letter"
            raise AskRefused(f"{lacking} {numbers}; nothing was done")
        return chosen

    def means(self, letter: DeadMessage) -> bool:
        """Whether a letter is among them, but for whether it is stale."""
        return (
            (not self.numbers or letter.sequence_number in self.numbers)
            and self.reason in {None, letter.reason}
            and self.job in {None, letter.job}
        )


@dataclass(slots=True)
class Group:
    """The dead letters of one reason and job. `description` is the newest one's, `oldest` when the first came."""

    reason: str | None
    job: str | None
    count: int = 0
    oldest: datetime | None = None
    description: str | None = None
    requests: list[ExportRequest] = field(default_factory=list)

    def stale(self, present: Mapping[str, Present]) -> int:
        """How many need nothing more, as their blob exists."""
        return sum(blob_state(request, present) == "there" for request in self.requests)


def groups_of(letters: Iterable[DeadMessage]) -> list[Group]:
    """The letters by reason and job, the largest group first."""
    groups: dict[tuple[str | None, str | None], Group] = {}
    for letter in letters:
        group = groups.setdefault(
            (letter.reason, letter.job), Group(letter.reason, letter.job, oldest=letter.enqueued_at)
        )
        group.count += 1
        group.description = letter.description
        if letter.request:
            group.requests.append(letter.request)
    return sorted(groups.values(), key=lambda group: -group.count)


def is_stale(letter: DeadMessage, present: Mapping[str, Present]) -> bool:
    """Whether the blob of a dead letter is there by now: nothing is left to be done for it."""
    return letter.request is not None and blob_state(letter.request, present) == "there"


def to_send(letters: Iterable[DeadMessage], jobs: Jobs) -> tuple[dict[int, Replay], dict[int, str]]:
    """What is sent for each letter, as its job is today; and why some cannot be sent so."""
    requests: dict[int, Replay] = {}
    refused: dict[int, str] = {}
    for letter in letters:
        request = letter.request and rebuilt(letter.request, jobs)
        if letter.request is None:
            requests[letter.sequence_number] = Replay()
        elif request is not None:
            requests[letter.sequence_number] = Replay(request, jobs[request.job].version)
        elif jobs.why_disabled(letter.job):
            refused[letter.sequence_number] = f"job {letter.job!r} is disabled until jobs.toml is corrected"
        elif letter.job not in jobs:
            refused[letter.sequence_number] = f"job {letter.job!r} is gone from jobs.toml"
        else:
            refused[letter.sequence_number] = f"job {letter.job!r} has no such window any more"
    return requests, refused
