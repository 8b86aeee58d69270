"""The two ends of a link: where its messages come from and where they go (AMQP 1.0, part 3, 3.5)."""

from typing import Any, NamedTuple

from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.composites import BOOLEAN, RAW, SYMBOL, UINT, Schema


class Source(NamedTuple):
    """Where messages come from; every field but a few stays encoded."""

    address: bytes = encode.NULL
    durable: int = 0
    expiry_policy: str | None = None
    timeout: int = 0
    dynamic: bool = False
    dynamic_node_properties: bytes = encode.NULL
    distribution_mode: str | None = None
    filter: bytes = encode.NULL
    default_outcome: bytes = encode.NULL
    outcomes: bytes = encode.NULL
    capabilities: bytes = encode.NULL


class Target(NamedTuple):
    """Where messages go."""

    address: bytes = encode.NULL
    durable: int = 0
    expiry_policy: str | None = None
    timeout: int = 0
    dynamic: bool = False
    dynamic_node_properties: bytes = encode.NULL
    capabilities: bytes = encode.NULL


class Coordinator(NamedTuple):
    """The target of a link that declares transactions."""

    capabilities: bytes = encode.NULL


type Terminus = Source | Target | Coordinator

_TERMINI = Schema[Terminus]({
    Source: (0x28, "source", (RAW, UINT, SYMBOL, UINT, BOOLEAN, RAW, SYMBOL, RAW, RAW, RAW, RAW)),
    Target: (0x29, "target", (RAW, UINT, SYMBOL, UINT, BOOLEAN, RAW, RAW)),
    Coordinator: (0x30, "coordinator", (RAW,)),
})  # fmt: skip


def terminus(raw: bytes) -> Terminus | None:
    """Decode a terminus; null is None. Raises Malformed."""
    return None if raw == encode.NULL else _TERMINI.decode(raw)[0]


def encoded(terminus: Terminus) -> bytes:
    """Encode a terminus for an attach."""
    return _TERMINI.encode(terminus)


def address(terminus: Terminus | None) -> str:
    """Return the address of a source or a target, '' if it has none. Raises Malformed."""
    if terminus is None or isinstance(terminus, Coordinator):
        return ""
    found = decode.value(terminus.address)
    return found if isinstance(found, str) else ""


def filters(terminus: Terminus | None) -> dict[Any, Any]:
    """Return the filters of a source by their names. Raises Malformed."""
    found = decode.value(terminus.filter) if isinstance(terminus, Source) else None
    return found if isinstance(found, dict) else {}
