"""Described lists ↔ named tuples: what performatives, delivery states and termini have in common."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.decode import Malformed


class Kind(NamedTuple):
    """The encoder and the decoder of one field. `read` takes the encoded value, and raises Malformed for another type.

    nullable: null is None, though the field has no default.
    """

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]
    nullable: bool = False


def _of(kind: type, raw: bytes) -> Any:
    found = decode.value(raw)
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        raise Malformed(f"a field holds {type(found).__name__} where {kind.__name__} belongs")
    return found


def _number(write: Callable[[int], bytes], limit: int) -> Kind:
    def read(raw: bytes) -> int:
        number: int = _of(int, raw)
        if not 0 <= number < limit:
            raise Malformed(f"a field holds {number}, which is out of range")
        return number

    return Kind(write, read)


def _symbols(raw: bytes) -> list[str]:
    found = decode.value(raw)
    names = found if isinstance(found, list) else [found]
    if not all(isinstance(name, str) for name in names):
        raise Malformed("a field holds something else where symbols belong")
    return names


UBYTE, USHORT = _number(encode.ubyte, 1 << 8), _number(encode.ushort, 1 << 16)
UINT, ULONG = _number(encode.uint, 1 << 32), _number(encode.ulong, 1 << 64)
BOOLEAN = Kind(encode.boolean, lambda raw: _of(bool, raw))
STRING, SYMBOL = Kind(encode.string, lambda raw: _of(str, raw)), Kind(encode.symbol, lambda raw: _of(str, raw))
BINARY = Kind(encode.binary, lambda raw: _of(bytes, raw))
SYMBOLS = Kind(lambda names: encode.array(map(encode.symbol, names)), _symbols)
RAW = Kind(bytes, bytes)  # stays encoded; its reader decodes it

type Fields = tuple[Kind, ...]


class Schema[Composite: tuple[Any, ...]]:
    """The composites that may stand in one place: class → code, name and the kinds of its fields."""

    def __init__(self, composites: Mapping[type[Composite], tuple[int, str, Fields]]) -> None:
        self._codes = {composite: (code, kinds) for composite, (code, _, kinds) in composites.items()}
        self._types: dict[Any, tuple[type[Composite], Fields]] = {}
        for composite, (code, name, kinds) in composites.items():
            self._types[code] = self._types[f"amqp:{name}:list"] = (composite, kinds)

    def encode(self, composite: Composite) -> bytes:
        """Encode a composite with all its fields: azure-servicebus before 7.15 reads absent ones, too."""
        code, kinds = self._codes[type(composite)]
        fields = [
            encode.NULL if item is None else kind.write(item) for kind, item in zip(kinds, composite, strict=True)
        ]
        return encode.section(code, encode.sequence(fields))

    def decode(self, data: bytes) -> tuple[Composite, int]:
        """Decode the composite at the start of `data`. Returns it with the offset after it. Raises Malformed."""
        if data[:1] != b"\x00":
            raise Malformed("a described list was to be here")
        try:
            descriptor, at = decode.value_at(data, 1)
            end = decode.skip(data, at)
            composite, kinds = self._types[descriptor]
        except Malformed:
            raise
        except (*decode.BROKEN, KeyError) as error:
            raise Malformed("a described list was to be here, which is broken or unknown") from error
        return self._filled(composite, kinds, decode.encoded_items(data[at:end], len(kinds))), end

    def _filled(self, composite: type[Composite], kinds: Fields, fields: list[bytes]) -> Composite:
        given = {
            name: None if raw == encode.NULL else kind.read(raw)
            for name, kind, raw in zip(composite._fields, kinds, fields, strict=False)  # type: ignore[attr-defined]
            if kind.nullable or raw != encode.NULL
        }
        try:
            return composite(**given)
        except TypeError as error:
            raise Malformed(f"{composite.__name__} lacks a field that it must have") from error
