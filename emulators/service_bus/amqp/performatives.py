"""The performatives of connections, sessions and links, and those of SASL (AMQP 1.0, part 2, 2.7; part 5, 5.3)."""

from typing import NamedTuple

from emulators.service_bus.amqp import encode
from emulators.service_bus.amqp.composites import (
    BINARY,
    BOOLEAN,
    RAW,
    STRING,
    SYMBOL,
    SYMBOLS,
    UBYTE,
    UINT,
    ULONG,
    USHORT,
    Schema,
)  # fmt: skip

SENDER, RECEIVER = False, True  # a role says who writes: the end that sends transfers, or the one that takes them
NULL = encode.NULL


class Open(NamedTuple):
    """A connection begins. idle_time_out: ms."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int = 0xFFFFFFFF
    channel_max: int = 0xFFFF
    idle_time_out: int | None = None
    outgoing_locales: bytes = NULL
    incoming_locales: bytes = NULL
    offered_capabilities: bytes = NULL
    desired_capabilities: bytes = NULL
    properties: bytes = NULL


class Begin(NamedTuple):
    """A session begins; remote_channel: the channel of the begin that this one answers."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int = 0xFFFFFFFF
    offered_capabilities: bytes = NULL
    desired_capabilities: bytes = NULL
    properties: bytes = NULL


class Attach(NamedTuple):
    """A link begins; source, target and properties stay encoded."""

    name: str
    handle: int
    role: bool
    snd_settle_mode: int = 2
    rcv_settle_mode: int = 0
    source: bytes = NULL
    target: bytes = NULL
    unsettled: bytes = NULL
    incomplete_unsettled: bool = False
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: bytes = NULL
    desired_capabilities: bytes = NULL
    properties: bytes = NULL


class Flow(NamedTuple):
    """The windows of a session and, with a handle, the credit of a link."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool = False
    echo: bool = False
    properties: bytes = NULL


class Transfer(NamedTuple):
    """A message or a piece of one; its bytes follow the performative."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool = False
    rcv_settle_mode: int | None = None
    state: bytes = NULL
    resume: bool = False
    aborted: bool = False
    batchable: bool = False


class Disposition(NamedTuple):
    """The state of deliveries first to last, as one end sees it."""

    role: bool
    first: int
    last: int | None = None
    settled: bool = False
    state: bytes = NULL
    batchable: bool = False


class Detach(NamedTuple):
    """A link ends, for good if it is closed; error: encoded."""

    handle: int
    closed: bool = False
    error: bytes = NULL


class End(NamedTuple):
    """A session ends."""

    error: bytes = NULL


class Close(NamedTuple):
    """A connection ends."""

    error: bytes = NULL


class SaslMechanisms(NamedTuple):
    """The mechanisms that the server offers."""

    mechanisms: list[str]


class SaslInit(NamedTuple):
    """The mechanism that the client takes."""

    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


class SaslOutcome(NamedTuple):
    """How it ended: 0 is success, 1 a failure of authentication."""

    code: int
    additional_data: bytes | None = None


type Performative = Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close
type Sasl = SaslMechanisms | SaslInit | SaslOutcome

PERFORMATIVES = Schema[Performative]({
    Open: (0x10, "open", (STRING, STRING, UINT, USHORT, UINT, RAW, RAW, RAW, RAW, RAW)),
    Begin: (0x11, "begin", (USHORT._replace(nullable=True), UINT, UINT, UINT, UINT, RAW, RAW, RAW)),
    Attach: (0x12, "attach", (
        STRING, UINT, BOOLEAN, UBYTE, UBYTE, RAW, RAW, RAW, BOOLEAN, UINT, ULONG, RAW, RAW, RAW,
    )),
    Flow: (0x13, "flow", (
        UINT._replace(nullable=True), UINT, UINT, UINT, UINT, UINT, UINT, UINT, BOOLEAN, BOOLEAN, RAW,
    )),
    Transfer: (0x14, "transfer", (
        UINT, UINT, BINARY, UINT, BOOLEAN, BOOLEAN, UBYTE, RAW, BOOLEAN, BOOLEAN, BOOLEAN,
    )),
    Disposition: (0x15, "disposition", (BOOLEAN, UINT, UINT, BOOLEAN, RAW, BOOLEAN)),
    Detach: (0x16, "detach", (UINT, BOOLEAN, RAW)),
    End: (0x17, "end", (RAW,)),
    Close: (0x18, "close", (RAW,)),
})  # fmt: skip

SASL = Schema[Sasl]({
    SaslMechanisms: (0x40, "sasl-mechanisms", (SYMBOLS,)),
    SaslInit: (0x41, "sasl-init", (SYMBOL, BINARY, STRING)),
    SaslOutcome: (0x44, "sasl-outcome", (UBYTE, BINARY)),
})  # fmt: skip
