"""AMQP 1.0 encoded values → Python, from bytes that may be anything."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID


class Malformed(ValueError):  # noqa: N818
    """Bytes that are not what AMQP 1.0 says they should be."""


class Described(NamedTuple):
    """A value with the descriptor in front of it: a symbol (str) or a ulong (int)."""

    descriptor: Any
    value: Any


_WIDTH_BY_CLASS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_FIXED: dict[int, Callable[[bytes], Any]] = {
    0x40: lambda _: None,
    0x41: lambda _: True,
    0x42: lambda _: False,
    0x43: lambda _: 0,
    0x44: lambda _: 0,
    0x45: lambda _: [],
    0x50: lambda raw: raw[0],
    0x51: lambda raw: int.from_bytes(raw, signed=True),
    0x52: lambda raw: raw[0],
    0x53: lambda raw: raw[0],
    0x54: lambda raw: int.from_bytes(raw, signed=True),
    0x55: lambda raw: int.from_bytes(raw, signed=True),
    0x56: lambda raw: raw != b"\0",
    0x60: int.from_bytes,
    0x61: lambda raw: int.from_bytes(raw, signed=True),
    0x70: int.from_bytes,
    0x71: lambda raw: int.from_bytes(raw, signed=True),
    0x72: lambda raw: struct.unpack(">f", raw)[0],
    0x73: lambda raw: chr(int.from_bytes(raw)),
    0x74: bytes,
    0x80: int.from_bytes,
    0x81: lambda raw: int.from_bytes(raw, signed=True),
    0x82: lambda raw: struct.unpack(">d", raw)[0],
    0x83: lambda raw: int.from_bytes(raw, signed=True),
    0x84: bytes,
    0x94: bytes,
    0x98: lambda raw: UUID(bytes=raw),
}
_VARIABLE: dict[int, Callable[[bytes], Any]] = {
    0xA0: bytes,
    0xA1: lambda raw: raw.decode(),
    0xA3: lambda raw: raw.decode(),
    0xB0: bytes,
    0xB1: lambda raw: raw.decode(),
    0xB3: lambda raw: raw.decode(),
}


# What Python raises on broken bytes.
BROKEN = (IndexError, struct.error, OverflowError, TypeError, ValueError, RecursionError)


def value(data: bytes) -> Any:
    r"""Decode the value at the start of `data`.

    Strings and symbols are str, timestamps int (ms), lists and arrays list, decimals their bytes. Raises Malformed.

    >>> value(bytes.fromhex("c1 07 02 a3 01 61 54 ff ".replace(" ", "") + "00"))
    {'a': -1}
    >>> value(b"\xa1\x09x")
    Traceback (most recent call last):
    ...
    emulators.service_bus.amqp.decode.Malformed: not an AMQP value: it ends too early
    """
    try:
        return value_at(data, 0)[0]
    except Malformed:
        raise
    except BROKEN as error:
        raise Malformed(f"not an AMQP value: {error}") from error


def value_at(data: bytes, at: int) -> tuple[Any, int]:
    """Decode the value at an offset. Returns it with the offset after it. Raises Malformed, or an error of BROKEN."""
    code = data[at]
    if code == 0x00:
        descriptor, at = value_at(data, at + 1)
        described, at = value_at(data, at)
        return Described(descriptor, described), at
    end = skip(data, at)
    if decode := _FIXED.get(code):
        return decode(data[at + 1 : end]), end
    if decode := _VARIABLE.get(code):
        return decode(data[at + (2 if code < 0xB0 else 5) : end]), end
    wide = code & 0x10
    first = at + (9 if wide else 3)
    count = int.from_bytes(data[first - (4 if wide else 1) : first])
    if count > end - at:
        raise Malformed("not an AMQP value: it counts more items than it has bytes")
    if code in (0xC0, 0xD0):
        return _items(data, first, count), end
    if code in (0xC1, 0xD1):
        items = _items(data, first, count)
        return dict(zip(items[::2], items[1::2], strict=True)), end
    if code in (0xE0, 0xF0):
        return _array(data, first, count), end
    raise Malformed(f"not an AMQP value: unknown type {code:#04x}")


def _items(data: bytes, at: int, count: int) -> list[Any]:
    items = []
    for _ in range(count):
        item, at = value_at(data, at)
        items.append(item)
    return items


def _array(data: bytes, at: int, count: int) -> list[Any]:
    # The items share one constructor, so each is decoded from that and its own bytes.
    start = skip(data, at + 1) if data[at] == 0x00 else at
    constructor = data[start : start + 1]
    at, items = start + 1, []
    for _ in range(count):
        item, used = value_at(constructor + data[at : at + _array_item_size(data, constructor[0], at)], 0)
        items.append(item)
        at += used - 1
    return items


def _array_item_size(data: bytes, code: int, at: int) -> int:
    kind = code >> 4
    if kind in _WIDTH_BY_CLASS:
        return _WIDTH_BY_CLASS[kind]
    return 1 + data[at] if kind in (0xA, 0xC, 0xE) else 4 + int.from_bytes(data[at : at + 4])


def encoded_items(data: bytes, limit: int = 1 << 16) -> list[bytes]:
    """Split a list or a map into its first `limit` items, still encoded; keys and values alternate. Raises Malformed.

    >>> encoded_items(bytes.fromhex("c003024340"))
    [b'C', b'@']
    """
    try:
        code = data[0]
        if code == 0x45:
            return []
        if code not in (0xC0, 0xC1, 0xD0, 0xD1):
            raise Malformed(f"neither a list nor a map: {code:#04x}")
        at = 9 if code & 0x10 else 3
        items = []
        for _ in range(min(int.from_bytes(data[5:9]) if code & 0x10 else data[2], limit)):
            end = skip(data, at)
            items.append(data[at:end])
            at = end
    except (IndexError, RecursionError) as error:
        raise Malformed("a list or a map ends too early") from error
    return items


def skip(data: bytes, at: int) -> int:
    """Return the offset after the value at an offset, undecoded. Raises Malformed, or IndexError past the end."""
    code = data[at]
    if code == 0x00:
        return skip(data, skip(data, at + 1))
    kind = code >> 4
    if kind in _WIDTH_BY_CLASS:
        end = at + 1 + _WIDTH_BY_CLASS[kind]
    elif kind in (0xA, 0xC, 0xE):
        end = at + 2 + data[at + 1]
    elif kind in (0xB, 0xD, 0xF):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5])
    else:
        raise Malformed(f"not an AMQP value: unknown type {code:#04x}")
    if end > len(data):
        raise Malformed("not an AMQP value: it ends too early")
    return end
