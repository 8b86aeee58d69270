"""A message body that says how each of its attempts is settled."""

import json
from datetime import timedelta

from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement


def settlement_of(body: bytes, attempt: int) -> Settlement:
    """The settlement for an attempt; the last one of the plan for all later ones."""
    plan = json.loads(body)
    kind, *rest = plan[min(attempt, len(plan)) - 1]
    match kind:
        case "complete":
            return Complete("exported")
        case "abandon":
            return Abandon("ExportInterrupted")
        case "retry":
            return RetryLater(timedelta(seconds=rest[0]), "SourceUnavailable", "no connection")
        case _:
            return DeadLetter(*rest)
