"""Errors and delivery states (AMQP 1.0, part 3, 3.4)."""

from typing import NamedTuple

from emulators.service_bus.amqp import encode
from emulators.service_bus.amqp.composites import BOOLEAN, RAW, STRING, SYMBOL, UINT, ULONG, Schema
from emulators.service_bus.amqp.decode import Malformed


class Error(NamedTuple):
    """A condition and what it means here; info: an encoded map."""

    condition: str
    description: str | None = None
    info: bytes = encode.NULL


class Received(NamedTuple):
    """No outcome yet: how far the receiver has come."""

    section_number: int = 0
    section_offset: int = 0


class Accepted(NamedTuple):
    """The receiver is done with the message."""


class Rejected(NamedTuple):
    """The receiver calls the message invalid; error: encoded."""

    error: bytes = encode.NULL

    @property
    def reason(self) -> Error | None:
        """Decode the error. Raises Malformed."""
        return error(self.error)


class Released(NamedTuple):
    """The receiver did not look at the message."""


class Modified(NamedTuple):
    """The receiver gives the message back, changed; annotations: an encoded map."""

    delivery_failed: bool = False
    undeliverable_here: bool = False
    annotations: bytes = encode.NULL


type Outcome = Accepted | Rejected | Released | Modified
type State = Outcome | Received

_STATES = Schema[State]({
    Received: (0x23, "received", (UINT, ULONG)),
    Accepted: (0x24, "accepted", ()),
    Rejected: (0x25, "rejected", (RAW,)),
    Released: (0x26, "released", ()),
    Modified: (0x27, "modified", (BOOLEAN, BOOLEAN, RAW)),
})  # fmt: skip
_ERRORS = Schema[Error]({Error: (0x1D, "error", (SYMBOL, STRING, RAW))})


def state(raw: bytes) -> State | None:
    """Decode a state; null is None. Raises Malformed."""
    return None if raw == encode.NULL else _STATES.decode(raw)[0]


def encoded(state: State | None) -> bytes:
    """Encode a state for a transfer or a disposition."""
    return encode.NULL if state is None else _STATES.encode(state)


def error(raw: bytes) -> Error | None:
    """Decode an error; null is None. Raises Malformed."""
    return None if raw == encode.NULL else _ERRORS.decode(raw)[0]


def error_or_none(raw: bytes) -> Error | None:
    """Decode an error; null and malformed bytes are None, because the sender is already gone."""
    try:
        return error(raw)
    except Malformed:
        return None


def encoded_error(condition: str, description: str) -> bytes:
    """Encode an error for a detach, an end, a close or a rejection."""
    return _ERRORS.encode(Error(condition, description))


def rejected(condition: str, description: str) -> Rejected:
    """Make the outcome that refuses a message, with the reason."""
    return Rejected(encoded_error(condition, description))
