"""How dead letters are shown: by reason and job, or each with its fields."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from cli.terminal import record, remark, table
from contracts.errors import TailraceError
from contracts.request import ExportRequest
from operations.dead_choice import Group, groups_of, is_stale
from operations.dead_letters import DeadMessage, blobs_of
from producer.facts import Present
from settings import Settings

_FIRST_BYTES = 120


def list_groups(settings: Settings, letters: Iterable[DeadMessage], *, as_json: bool) -> int:
    """Prints a row for each reason and job; returns how many rows."""
    groups = groups_of(letters)
    present = _blobs_of(settings, (one for group in groups for one in group.requests))
    shown = [group_fields(group, present) for group in groups]
    if as_json:
        for fields in shown:
            print(json.dumps(fields, ensure_ascii=False, default=datetime.isoformat))
    elif shown:
        show_groups(shown)
        remark("--each lists each; `tailrace dlq replay` sends them again, `drop` deletes them, by --reason and --job")
    return len(shown)


def _blobs_of(settings: Settings, requests: Iterable[ExportRequest]) -> Mapping[str, Present] | None:
    """The blobs that are there; None, and a remark, if storage cannot be asked: the letters are shown all the same."""
    try:
        return blobs_of(settings, requests)
    except TailraceError as error:
        remark(f"stale was not counted: {error.explained}")
        return None


def show_groups(groups: Sequence[Mapping[str, object]]) -> None:
    """Prints a table of groups."""
    rows = [[_shown(value) for value in fields.values()] for fields in groups]
    table(tuple(groups[0]), rows, right=("letters", "stale"))


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return f"{value:,}" if isinstance(value, int) else str(value or "-")


def list_each(settings: Settings, letters: Iterable[DeadMessage], limit: int, *, as_json: bool) -> int:
    """Prints each letter, `limit` at most; returns how many there are, counted up to one more."""
    found = list(islice(letters, limit + 1))
    present = _blobs_of(settings, (letter.request for letter in found[:limit] if letter.request))
    for letter in found[:limit]:
        fields = {**as_fields(letter), "stale": (present is not None and is_stale(letter, present)) or None}
        if as_json:
            print(json.dumps(fields, ensure_ascii=False))
        else:
            record(f"{fields.pop('sequence_number')}  {fields.pop('reason') or '(no reason)'}", fields)
    if len(found) > limit:
        remark(f"there are more than {limit:,}; see them with --limit")
    return len(found)


def group_fields(group: Group, present: Mapping[str, Present] | None) -> dict[str, object]:
    """A group as it is shown; `stale` is None if it is not known which blobs are there."""
    return {
        "reason": group.reason,
        "job": group.job,
        "letters": group.count,
        "stale": None if present is None else group.stale(present),
        "oldest": group.oldest,
        "description": group.description,
    }


def as_fields(letter: DeadMessage) -> dict[str, object]:
    """The fields shown of a dead letter; for an invalid request, the beginning of its body."""
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
