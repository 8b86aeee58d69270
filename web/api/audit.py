"""The line of the log that says who did what."""

import logging

from fastapi import Request

from telemetry.events import event

_log = logging.getLogger(__name__)


def audit(call: Request, action: str, **fields: object) -> None:
    """Logs an order that was carried out."""
    event(_log, logging.INFO, "operator action", action=action, by=call.scope.get("who"), **fields)
