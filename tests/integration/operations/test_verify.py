"""Verifying reads a blob again and names whatever is not as it was exported."""

import random
from collections.abc import Iterator

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.asking import ask
from support.exports import NO_JOBS, Exports

from operations.blobs import Blob, Blobs
from operations.verify import Verified, verify, verify_pieces, verify_quickly
from settings import Settings
from worker.assemble import open_worker
from worker.message.settlement import Complete

OUTPUTS = [
    {},
    {"header": False, "delimiter": ";", "null": "NULL"},
    {"level": 6},
    {"compression": "zstd"},
    {"compression": "none"},
    {"format": "parquet"},
]

# Bits flipped in a blob of each of the forms, together.
FLIPS = 10_000


@pytest.fixture
def settings(environ: dict[str, str], tmp_path: object) -> Settings:
    file = tmp_path / "jobs.toml"  # type: ignore[operator]
    file.write_text(NO_JOBS)
    return Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})


@pytest.fixture
def exports(settings: Settings, container: ContainerClient) -> Iterator[Exports]:
    with open_worker(settings) as worker:
        yield Exports(worker, container)


@pytest.fixture
def blobs(settings: Settings) -> Blobs:
    return Blobs(settings)


@pytest.fixture
def t(admin: psycopg.Connection) -> None:
    admin.execute(
        "create table t as select i, case i % 3 when 0 then null when 1 then '' else 'a \"quoted\", e' || chr(10) || i"
        " end as word, md5(i::text) as filler from generate_series(1, 3000) as i"
    )


def exported(exports: Exports, blobs: Blobs, **request: object) -> Blob:
    assert exports.handle(ask(**request)) == Complete("exported")
    found = blobs.find("x/1.csv.gz")
    assert found is not None
    return found


@pytest.mark.usefixtures("t")
@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_blob_is_as_it_was_exported(exports: Exports, blobs: Blobs, output: dict[str, object]) -> None:
    blob = exported(exports, blobs, output=output)
    assert verify(blobs, blob) == Verified(blob.name, (), 3000)
    assert verify_quickly(blobs, blob) == Verified(blob.name)


@pytest.mark.usefixtures("t")
def test_a_table_without_rows_is_a_whole_file(exports: Exports, blobs: Blobs, admin: psycopg.Connection) -> None:
    admin.execute("truncate t")
    assert verify(blobs, exported(exports, blobs)).problems == ()


@pytest.mark.usefixtures("t")
@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_each_flipped_byte_is_found(
    exports: Exports, blobs: Blobs, container: ContainerClient, output: dict[str, object]
) -> None:
    blob = exported(exports, blobs, output=output)
    data = bytearray(container.download_blob(blob.name).readall())
    metadata = container.get_blob_client(blob.name).get_blob_properties().metadata
    for place in random.Random(7).sample(range(len(data)), 12):  # noqa: S311
        data[place] ^= 0x40
        container.upload_blob(blob.name, bytes(data), metadata=metadata, overwrite=True)
        found = blobs.find(blob.name)
        assert found is not None
        assert "part 1 of 1 was changed: its SHA-256 differs" in verify(blobs, found).problems
        data[place] ^= 0x40


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_every_one_of_ten_thousand_flipped_bits_is_found(
    exports: Exports, blobs: Blobs, container: ContainerClient, admin: psycopg.Connection, output: dict[str, object]
) -> None:
    admin.execute("create table t as select i, md5(i::text) as word from generate_series(1, 30) as i")
    blob = exported(exports, blobs, output=output)
    data = bytearray(container.download_blob(blob.name).readall())
    flips = -(-FLIPS // len(OUTPUTS))
    # Each byte, as often as it takes, and each time another bit of it.
    for number in range(flips):
        place, bit = number % len(data), (number // len(data) * 3 + number) % 8
        data[place] ^= 1 << bit
        found = verify_pieces(blob, iter([bytes(data)]))
        assert "part 1 of 1 was changed: its SHA-256 differs" in found.problems, (place, bit)
        data[place] ^= 1 << bit
    assert verify_pieces(blob, iter([bytes(data)])).problems == ()


@pytest.mark.usefixtures("t")
@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_blob_that_is_cut_off_is_found_with_and_without_reading_it(
    exports: Exports, blobs: Blobs, container: ContainerClient, output: dict[str, object]
) -> None:
    blob = exported(exports, blobs, output=output)
    data = container.download_blob(blob.name).readall()
    metadata = container.get_blob_client(blob.name).get_blob_properties().metadata
    container.upload_blob(blob.name, data[:-1], metadata=metadata, overwrite=True)
    found = blobs.find(blob.name)
    assert found is not None
    assert f"it has {len(data) - 1:,} bytes, its receipt says {len(data):,}" in verify_quickly(blobs, found).problems
    assert "part 1 is cut off" in verify(blobs, found).problems


@pytest.mark.usefixtures("t")
def test_a_foreign_blob_is_found(blobs: Blobs, container: ContainerClient) -> None:
    container.upload_blob("x/1.csv.gz", b"")
    found = blobs.find("x/1.csv.gz")
    assert found is not None
    for problems in (verify(blobs, found).problems, verify_quickly(blobs, found).problems):
        assert problems == ("it has no receipt: something other than Tailrace wrote it",)


@pytest.mark.usefixtures("t")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": "2999"}, "it holds 3,000 rows, its receipt says 2,999"),
        ({"row_hash": "0123456789abcdef"}, "its rows are not those that were exported: their hash differs"),
        ({"csv_bytes": "7"}, "its receipt says 7"),
    ],
)
def test_a_receipt_that_was_edited_contradicts_its_blob(
    exports: Exports, blobs: Blobs, container: ContainerClient, change: dict[str, str], says: str
) -> None:
    blob = exported(exports, blobs)
    client = container.get_blob_client(blob.name)
    client.set_blob_metadata({**client.get_blob_properties().metadata, **change})
    found = blobs.find(blob.name)
    assert found is not None
    assert any(says in problem for problem in verify(blobs, found).problems)
