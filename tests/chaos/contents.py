"""What a blob and its receipt hold, against the source; whatever wrote them is not used here."""

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import xxhash
from chaos.load import Ask, Whole
from chaos.servers import ACCOUNTS, BALANCE
from chaos.world import World
from support.unpack import UNPACK, csv_of_parquet


def content(world: World, ask: Ask, fate: Whole, data: bytes) -> Iterator[tuple[str, str]]:
    """What is wrong with the rows: kinds of findings and what was seen."""
    try:
        csv = csv_of_parquet(data) if fate.compression == "parquet" else UNPACK[fate.compression](data)
    except Exception as error:  # noqa: BLE001  # whatever the codec says of broken bytes
        yield "undecodable", f"{type(error).__name__}: {error}"[:100]
        return
    if ask.kind == "accounts":
        yield from _balance(csv)
        return
    expected = world.servers.csv_of(fate.select)
    if csv != expected:
        yield "wrong blob", _difference(csv.split(b"\n"), expected.split(b"\n"))


def _balance(csv: bytes) -> Iterator[tuple[str, str]]:
    rows = [line.split(b",") for line in csv.split(b"\n")[1:-1]]
    total = sum(int(row[1]) for row in rows)
    if len({row[0] for row in rows}) != ACCOUNTS or len(rows) != ACCOUNTS:
        yield "wrong blob", f"{len(rows)} rows of {len({row[0] for row in rows})} accounts, not {ACCOUNTS}"
    elif total != ACCOUNTS * BALANCE:
        yield "torn snapshot", f"the balances sum up to {total}, not {ACCOUNTS * BALANCE}"


def _difference(found: list[bytes], expected: list[bytes]) -> str:
    there, should = Counter(found), Counter(expected)
    short, more = sum((should - there).values()), sum((there - should).values())
    if not short and not more:
        return "the right rows in another order"
    return f"{len(found) - 2} rows, {len(expected) - 2} in the source: {short} missing, {more} that should not be"


def receipt(ask: Ask, fate: Whole, data: bytes, metadata: dict[str, str]) -> Iterator[str]:
    """What is wrong with the receipt on the blob."""
    if metadata.get("request_id") != str(ask.request_id):
        yield f"it is of request {metadata.get('request_id')}, asked for was {ask.request_id}"
        return
    try:
        parts: list[dict[str, Any]] = json.loads(metadata["parts"])
        # What is counted and hashed of Parquet are rows in PostgreSQL's binary form, which are gone.
        is_csv = fate.compression != "parquet"
        csv = UNPACK[fate.compression](data) if is_csv else csv_of_parquet(data)
        rows = _rows_of(csv)
        totals = {"rows": len(rows), "blob_bytes": len(data), **({"csv_bytes": len(csv)} if is_csv else {})}
        said = {name: int(metadata[name]) for name in totals}
    except Exception as error:  # noqa: BLE001  # the receipt or the data cannot be read: the other check says which
        yield f"it cannot be compared: {type(error).__name__}: {error}"[:100]
        return
    if said != totals:
        yield f"it says {said}, the blob has {totals}"
    begin = 0
    for number, part in enumerate(parts):
        piece, begin = data[begin : begin + part["blob_bytes"]], begin + part["blob_bytes"]
        if sha256(piece).hexdigest() != part["sha256"]:
            yield f"part {number} has another SHA-256"
    if is_csv and (hashed := metadata.get("row_hash")) is not None and hashed != _hash_of(rows):
        yield "the rows have another hash"


def _rows_of(csv: bytes) -> list[bytes]:
    """The rows without the header; no value of the sources has a line end."""
    return [line + b"\n" for line in csv.split(b"\n")[1:-1]]


def _hash_of(rows: list[bytes]) -> str:
    return f"{sum(xxhash.xxh3_64_intdigest(row) for row in rows) % 2**64:016x}"
