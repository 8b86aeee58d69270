"""The receipt as blob metadata: within Azure's limits, and the same when it is read back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.output import Output
from contracts.receipt import Closed, Part, Read, Receipt, SourceColumn
from contracts.request import ExportRequest, TableSource
from contracts.window import IntegerWindow

BEGAN = datetime(2026, 2, 1, 0, 0, 1, 234567, UTC)
PART = Part(rows=3, csv_bytes=40, blob_bytes=30, sha256="ab" * 32)


COLUMNS = (
    SourceColumn(name='Größe "x"', type="numeric(6,2)"),
    SourceColumn(name="at", type="date"),
)
CLOSED = Closed(by="transactions", at=BEGAN)


def receipt(*, snapshot: str = "10:20:11,12", **more: Any) -> Receipt:
    request = ExportRequest(
        request_id=UUID("5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b"),
        source=TableSource(schema_name="s", table="t"),
        blob="b",
        run=BEGAN,
        **{"job": "clicks", **more},
    )
    read = Read((PART,), snapshot, 2**63 + 7, COLUMNS, CLOSED)
    return Receipt.of(request, read, (BEGAN, BEGAN + timedelta(seconds=2)))


def in_azure(metadata: dict[str, str]) -> None:
    """Fails unless Azure takes the metadata as it is."""
    assert sum(len(key) + len(value) for key, value in metadata.items()) <= 8 * 1024
    assert all(key.isascii() and key.isidentifier() for key in metadata)
    assert all(value.isascii() and value.isprintable() and value == value.strip() for value in metadata.values())


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.text(min_size=1, max_size=63).filter(lambda text: "\0" not in text and len(text.encode()) <= 63),
    st.integers(-(2**63), 2**62),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True),
)
def test_a_receipt_survives_the_way_through_metadata(column: str, start: int, job: str) -> None:
    """Also with a window column in any language, of the greatest length."""
    made = receipt(job=job, window=IntegerWindow(column=column, start=start, end=start + 1))
    metadata = made.to_metadata()
    in_azure(metadata)
    assert Receipt.from_metadata(metadata) == made


def test_a_receipt_says_nothing_of_how_a_parquet_file_is_encoded() -> None:
    """Every reader finds that in the file, and the names of many columns are more than metadata can hold."""
    names = tuple(f"column number {number} of a wide table" for number in range(400))
    made = receipt(output=Output(format="parquet", dictionary=names, statistics=names, bloom_filters=names))
    metadata = made.to_metadata()
    in_azure(metadata)
    assert metadata["output"] == '{"format": "parquet"}'
    assert Receipt.from_metadata(metadata) == made


def test_a_receipt_without_a_window_says_nothing_of_one() -> None:
    metadata = receipt().to_metadata()
    in_azure(metadata)
    assert "window" not in metadata
    assert metadata["rows"] == "3"
    assert json.loads(metadata["parts"]) == [PART.model_dump()]


def test_a_snapshot_of_a_busy_server_still_fits() -> None:
    """pg_current_snapshot() lists all transactions under way: thousands, where thousands are connected."""
    made = receipt(snapshot="1:99999999:" + ",".join(str(10_000_000 + number) for number in range(5000)))
    in_azure(made.to_metadata())
    assert made.snapshot.startswith("1:99999999:10000000,")
    assert made.snapshot.endswith("..")


def test_keys_that_others_put_on_the_blob_do_no_harm() -> None:
    made = receipt()
    assert Receipt.from_metadata({**made.to_metadata(), "owner": "somebody", "hdi_isfolder": "false"}) == made


@pytest.mark.parametrize(
    "change",
    [
        {"request_id": "none"},
        {"rows": "many"},
        {"parts": "not json"},
        {"parts": "[" * 8000},
        {"parts": '{"rows": 1}'},
        {"run": "2026-02-01T00:00:00"},  # without a zone it could not be compared with a request's
        {"window": "null "},
        {"window": '{"type": "integer"}'},
        {"job": "../x"},
        {"columns": "not base 64"},
        {"columns": "eJwDAAAAAAE="},
        {"output": '{"format": "xls"}'},
        {"closed": '{"by": "magic"}'},
        {"row_hash": "7"},
    ],
)
def test_metadata_that_only_looks_like_a_receipt_is_none(change: dict[str, str]) -> None:
    whole = receipt(window=IntegerWindow(column="id", start=0, end=1)).to_metadata()
    found = Receipt.from_metadata({**whole, **change})
    assert found is None or (change == {"window": "null "} and found.window is None)


def test_a_foreign_blob_has_no_receipt() -> None:
    assert Receipt.from_metadata({}) is None
    assert Receipt.from_metadata({"rows": "3"}) is None


def test_totals_are_the_sums_of_the_parts() -> None:
    request = ExportRequest(
        request_id=UUID(int=1), job="j", source=TableSource(schema_name="s", table="t"), blob="b", run=BEGAN
    )
    made = Receipt.of(request, Read((PART, PART), "1:1:"), (BEGAN, BEGAN))
    assert (made.rows, made.csv_bytes, made.blob_bytes) == (6, 80, 60)


def test_columns_that_do_not_fit_are_left_out_and_everything_else_stays() -> None:
    names = [f"{number * 7919 % 10007:05d}{number**9 % 10**40}" for number in range(1600)]
    columns = tuple(SourceColumn(name=name, type="text") for name in names)
    request = ExportRequest(
        request_id=UUID(int=1), job="j", source=TableSource(schema_name="s", table="t"), blob="b", run=BEGAN
    )
    made = Receipt.of(request, Read((PART,), "1:1:", 7, columns), (BEGAN, BEGAN))
    found = Receipt.from_metadata(made.to_metadata())
    assert found == made.model_copy(update={"columns": None})
    in_azure(made.to_metadata())


def test_a_receipt_of_an_earlier_version_is_read() -> None:
    """It has neither hash nor columns, and says neither how often it was tried nor in what form its rows are."""
    newer = ("row_hash", "columns", "output", "closed", "attempts")
    found = Receipt.from_metadata({key: value for key, value in receipt().to_metadata().items() if key not in newer})
    assert found is not None
    assert found.rows == 3
    assert [getattr(found, name) for name in newer] == [None] * 5


@pytest.mark.parametrize(
    ("closed", "is_proven"),
    [
        (Closed(by="transactions", at=BEGAN), True),
        (Closed(by="writers", at=BEGAN), True),
        (Closed(by="delay", at=BEGAN), False),
        (Closed(by="transactions", at=BEGAN, open="pid 7"), False),
    ],
)
def test_only_what_postgresql_was_asked_is_proven(closed: Closed, *, is_proven: bool) -> None:
    assert closed.is_proven is is_proven
