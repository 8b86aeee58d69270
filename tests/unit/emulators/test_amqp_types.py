"""Every AMQP type there and back, and what broken bytes are."""

import math
import struct
from collections.abc import Callable
from uuid import UUID

import pytest
from azure.servicebus._pyamqp._encode import encode_value
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.service_bus.amqp import decode, encode, states, terminus
from emulators.service_bus.amqp.decode import BROKEN, Described, Malformed
from emulators.service_bus.amqp.performatives import (
    PERFORMATIVES,
    SASL,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)  # fmt: skip
from emulators.service_bus.amqp.states import Accepted, Modified, Received, Rejected, Released
from emulators.service_bus.amqp.terminus import Coordinator, Source, Target

TEXT, ASCII, BYTES = (
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=127), max_size=300),
    st.binary(max_size=300),
)


def whole(bits: int, *, signed: bool = False) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


TYPES: dict[str, tuple[Callable[..., bytes], st.SearchStrategy]] = {
    "boolean": (encode.boolean, st.booleans()),
    "ubyte": (encode.ubyte, whole(8)),
    "byte": (encode.byte, whole(8, signed=True)),
    "ushort": (encode.ushort, whole(16)),
    "short": (encode.short, whole(16, signed=True)),
    "uint": (encode.uint, whole(32)),
    "int": (encode.int32, whole(32, signed=True)),
    "ulong": (encode.ulong, whole(64)),
    "long": (encode.long, whole(64, signed=True)),
    "float": (encode.float32, st.floats(width=32, allow_nan=False)),
    "double": (encode.float64, st.floats(allow_nan=False)),
    "decimal": (
        encode.decimal,
        st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    ),
    "char": (encode.char, st.characters()),
    "timestamp": (encode.timestamp, whole(64, signed=True)),
    "uuid": (encode.uuid, st.uuids()),
    "binary": (encode.binary, BYTES),
    "string": (encode.string, TEXT),
    "symbol": (encode.symbol, ASCII),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_value_of_every_type_comes_back(name: str):
    write, values = TYPES[name]

    @settings(max_examples=60, deadline=None, database=None)
    @given(values, st.binary(max_size=3))
    def comes_back(value: object, more: bytes) -> None:
        raw = write(value)
        assert decode.value_at(raw + more, 0) == (value, len(raw))
        assert decode.value(encode.section(0x77, raw)) == Described(0x77, value)

    comes_back()


@settings(max_examples=100, deadline=None, database=None)
@given(
    st.sampled_from(sorted(TYPES)).flatmap(lambda name: st.tuples(st.just(name), st.lists(TYPES[name][1], max_size=40)))
)
def test_lists_maps_and_arrays_of_any_length_come_back(found: tuple[str, list]):
    name, values = found
    items = [TYPES[name][0](value) for value in values]
    assert decode.value(encode.sequence(items)) == values
    assert decode.encoded_items(encode.sequence(items)) == items
    numbered = {encode.uint(number): item for number, item in enumerate(items)}
    assert decode.value(encode.mapping(numbered)) == dict(enumerate(values))
    if len({item[0] for item in items}) == 1 and name != "boolean":
        assert decode.value(encode.array(items)) == values


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("40", None), ("43", 0), ("44", 0), ("45", []), ("52 ff", 255), ("53 ff", 255), ("54 ff", -1), ("55 80", -128),
        ("56 00", False), ("56 01", True), ("f0 00 00 00 0a 00 00 00 02 00 53 01 52 01 02", [1, 2]),
        ("e0 05 02 c0 01 00 01 00", [[], []]), ("00 a3 01 78 00 53 01 50 02", Described("x", Described(1, 2))),
    ],
)  # fmt: skip
def test_forms_that_this_end_does_not_write_are_read(raw: str, value: object):
    assert decode.value(bytes.fromhex(raw)) == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.binary() | st.integers(-(2**31), 2**31 - 1) | st.uuids()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None, database=None)
@given(VALUES)
def test_what_the_sdk_encodes_is_decoded_to_the_same_values(value: object):
    raw = bytearray()
    encode_value(raw, value)
    assert decode.value(bytes(raw)) == (approximately(value) if isinstance(value, float) else value)


def approximately(number: float) -> float:
    return number if math.isinf(number) else struct.unpack(">d", struct.pack(">d", number))[0]


@settings(max_examples=400, deadline=None, database=None)
@given(
    st.binary(max_size=80), st.sampled_from([b"", b"\x00", b"\x00\x53", b"\xc0", b"\xd1\x00\x00\x00", b"\xe0", b"\xf0"])
)
def test_no_bytes_bring_the_decoder_down(junk: bytes, start: bytes):
    for read in (
        decode.value,
        decode.encoded_items,
        PERFORMATIVES.decode,
        SASL.decode,
        states.state,
        states.error,
        terminus.terminus,
    ):
        try:
            read(start + junk)
        except Malformed:
            continue


def test_what_the_decoder_may_raise_inside_is_known():
    for raw in (b"", b"\xa1\x01\xff", b"\xc1\x04\x02\x45\x45", b"\x98\x00", b"\x73\xff\xff\xff\xff", b"\x00" * 3000):
        with pytest.raises(BROKEN):
            decode.value_at(raw, 0)
        with pytest.raises(Malformed):
            decode.value(raw)


def field(name: str) -> st.SearchStrategy:
    """Any value of a field, by its type's name."""
    number = UUID(int=7)
    raw = st.sampled_from([encode.NULL, encode.string("x"), encode.mapping({encode.symbol("a"): encode.uuid(number)})])
    fields = {
        "str": ASCII,
        "int": whole(8),
        "bool": st.booleans(),
        "bytes": raw,
        "list[str]": st.lists(ASCII, min_size=1, max_size=3),
    }
    kind, _, optional = name.partition(" | ")
    found = BYTES if name == "bytes | None" else fields[kind]
    return st.none() | found if optional else found


KINDS = {
    **dict.fromkeys((Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close), PERFORMATIVES),
    **dict.fromkeys((SaslMechanisms, SaslInit, SaslOutcome), SASL),
    **dict.fromkeys((Received, Accepted, Rejected, Released, Modified), states._STATES),
    **dict.fromkeys((Source, Target, Coordinator), terminus._TERMINI),
    states.Error: states._ERRORS,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_composite_of_every_kind_comes_back(kind: type):
    schema = KINDS[kind]
    annotations = [
        getattr(of, "__name__", str(of)) if not hasattr(of, "__args__") else str(of)
        for of in kind.__annotations__.values()
    ]

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.tuples(*map(field, annotations)), st.binary(max_size=5))
    def comes_back(values: tuple, more: bytes) -> None:
        written = kind(*values)
        raw = schema.encode(written)
        got, end = schema.decode(raw + more)
        assert type(got) is kind
        assert end == len(raw)
        expected = {
            name: kind._field_defaults.get(name) if item is None else item for name, item in written._asdict().items()
        }
        assert got == kind(**expected)

    comes_back()


def test_absent_fields_have_their_defaults_and_unknown_ones_are_passed_over():
    opened = encode.section(0x10, encode.sequence([encode.string("a")]))
    assert PERFORMATIVES.decode(opened)[0] == Open("a")
    symbolic = (
        b"\x00"
        + encode.symbol("amqp:detach:list")
        + encode.sequence([encode.uint(1), encode.TRUE, encode.NULL, encode.NULL])
    )
    assert PERFORMATIVES.decode(symbolic)[0] == Detach(1, closed=True)


@pytest.mark.parametrize(
    "raw",
    [
        encode.section(0x10, encode.sequence([])), encode.section(0x10, encode.sequence([encode.uint(1)])),
        encode.section(0x12, encode.sequence([encode.string("a"), encode.long(-1), encode.TRUE])),
        encode.section(0x16, encode.sequence([encode.TRUE])), encode.section(0x99, encode.sequence([])),
        encode.string("open"),
        encode.section(0x10, encode.mapping({encode.string("a"): encode.NULL}))[:-1],
    ],
)  # fmt: skip
def test_a_composite_with_a_wrong_or_missing_field_is_malformed(raw: bytes):
    with pytest.raises(Malformed):
        PERFORMATIVES.decode(raw)
