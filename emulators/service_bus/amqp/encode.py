"""Python → AMQP 1.0 encoded values: one function a type, since a type is the wire format's decision, not Python's."""

import struct
from collections.abc import Iterable
from uuid import UUID

NULL = b"\x40"
TRUE = b"\x41"
FALSE = b"\x42"
EMPTY_LIST = b"\x45"


def _sized(short: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((short, len(raw))) + raw
    return struct.pack(">BI", short + 0x10, len(raw)) + raw


def binary(raw: bytes) -> bytes:
    """An AMQP binary."""
    return _sized(0xA0, raw)


def string(text: str) -> bytes:
    """An AMQP string.

    >>> string("ab").hex(" ")
    'a1 02 61 62'
    """
    return _sized(0xA1, text.encode())


def symbol(text: str) -> bytes:
    """An AMQP symbol."""
    return _sized(0xA3, text.encode("ascii"))


def boolean(flag: bool) -> bytes:
    """An AMQP boolean."""
    return TRUE if flag else FALSE


def ubyte(number: int) -> bytes:
    """An AMQP ubyte."""
    return struct.pack(">BB", 0x50, number)


def byte(number: int) -> bytes:
    """An AMQP byte, which has a sign."""
    return struct.pack(">Bb", 0x51, number)


def ushort(number: int) -> bytes:
    """An AMQP ushort."""
    return struct.pack(">BH", 0x60, number)


def short(number: int) -> bytes:
    """An AMQP short."""
    return struct.pack(">Bh", 0x61, number)


def uint(number: int) -> bytes:
    """An AMQP uint, of 0 to 2³²-1."""
    return struct.pack(">BI", 0x70, number)


def int32(number: int) -> bytes:
    """An AMQP int."""
    return struct.pack(">Bi", 0x71, number)


def ulong(number: int) -> bytes:
    """An AMQP ulong."""
    return struct.pack(">BQ", 0x80, number)


def long(number: int) -> bytes:
    """An AMQP long."""
    return struct.pack(">Bq", 0x81, number)


def float32(number: float) -> bytes:
    """An AMQP float."""
    return struct.pack(">Bf", 0x72, number)


def float64(number: float) -> bytes:
    """An AMQP double."""
    return struct.pack(">Bd", 0x82, number)


def char(text: str) -> bytes:
    """An AMQP char: one code point."""
    return struct.pack(">BI", 0x73, ord(text))


def decimal(raw: bytes) -> bytes:
    """An AMQP decimal32, decimal64 or decimal128: 4, 8 or 16 bytes of IEEE 754."""
    return bytes(({4: 0x74, 8: 0x84, 16: 0x94}[len(raw)],)) + raw


def timestamp(ms: int) -> bytes:
    """An AMQP timestamp: ms since 1970, UTC."""
    return struct.pack(">Bq", 0x83, ms)


def uuid(value: UUID) -> bytes:
    """An AMQP uuid."""
    return b"\x98" + value.bytes


def compound(short: int, count: int, items: bytes) -> bytes:
    """A list (0xC0) or a map (0xC1) of `count` items that are encoded already.

    >>> compound(0xC1, 2, symbol("a") + NULL).hex(" ")
    'c1 05 02 a3 01 61 40'
    """
    if len(items) < 255 and count < 256:
        return bytes((short, len(items) + 1, count)) + items
    return struct.pack(">BII", short + 0x10, len(items) + 4, count) + items


def sequence(items: Iterable[bytes]) -> bytes:
    """A list of encoded items."""
    encoded = tuple(items)
    return compound(0xC0, len(encoded), b"".join(encoded))


def mapping(pairs: dict[bytes, bytes]) -> bytes:
    """A map of encoded keys and encoded values."""
    return compound(0xC1, 2 * len(pairs), b"".join(key + item for key, item in pairs.items()))


def array(items: Iterable[bytes]) -> bytes:
    """An array of encoded items, all of one type and at least one.

    >>> array([timestamp(1), timestamp(2)])[:10].hex(" ")
    'f0 00 00 00 15 00 00 00 02 83'
    """
    encoded = tuple(items)
    raw = encoded[0][:1] + b"".join(item[1:] for item in encoded)
    return struct.pack(">BII", 0xF0, len(raw) + 4, len(encoded)) + raw


def section(code: int, item: bytes) -> bytes:
    """A described value, such as a section of a message; the SDK takes the short form of the descriptor only.

    >>> section(0x75, binary(b"x")).hex(" ")
    '00 53 75 a0 01 78'
    """
    return bytes((0x00, 0x53, code)) + item
