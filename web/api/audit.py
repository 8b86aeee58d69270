"""Who gives an order, and the line of the log that says so."""

import logging

from fastapi import Request

from telemetry.events import event

_log = logging.getLogger(__name__)


def who(call: Request) -> str:
    """The person, the key or the machine's user who gives the order of a call."""
    return str(call.scope["who"])


def audit(call: Request, action: str, **fields: object) -> None:
    """Logs an order that was carried out."""
    event(_log, logging.INFO, "operator action", action=action, by=who(call), **fields)
