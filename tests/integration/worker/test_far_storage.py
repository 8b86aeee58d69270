"""The farther the storage is, the more blocks are on their way: on a network with a delay between two namespaces."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from bench.network import Network, network, why_not
from devstack.azurite import Azurite
from settings import Settings
from worker.blob.buffers import BLOCK_BYTES, STAGERS
from worker.blob.sink import Sink

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

BUS = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=none;SharedAccessKey=none;"
BLOCKS = 24


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Network, Azurite]]:
    """The network, and a storage at its other end. The test's thread is there, too."""
    with network() as opened, Azurite.start(tmp_path) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            service.create_container("exports")
        yield opened, azurite


def opened_sink(azurite: Azurite) -> closing[Sink]:
    environ = {"ExportStorage": azurite.connection_string, "ServiceBusConnection": BUS}
    return closing(Sink(Settings.from_env(environ, postgres=False)))


def connections(line: tuple[Network, Azurite], delay_ms: float) -> int:
    """How many connections the upload of some blocks opens, which is how many of its requests are made at once."""
    far, azurite = line
    block = os.urandom(BLOCK_BYTES)
    far.delay({azurite.port: delay_ms})
    with far.at_the_worker(), opened_sink(azurite) as sink:
        assert sink.find("far.csv") is None
        with sink.upload("far.csv", None) as upload:
            part = upload.part(0)
            for _ in range(BLOCKS):
                part.write(block)
            part.wait()
    return int(far.delay({})[azurite.port]["connections"])


def test_near_storage_has_as_few_blocks_on_their_way_as_ever(line: tuple[Network, Azurite]) -> None:
    assert connections(line, 0) <= STAGERS


def test_far_storage_has_more_blocks_on_their_way(line: tuple[Network, Azurite]) -> None:
    assert STAGERS + 2 < connections(line, 50) <= 13


def test_rests_wait_for_a_connection_that_has_sent_blocks(line: tuple[Network, Azurite]) -> None:
    """A new one would take longer: its window has yet to grow."""
    far, azurite = line
    far.delay({azurite.port: 50})
    with far.at_the_worker(), opened_sink(azurite) as sink, sink.upload("rests.csv", None) as upload:
        parts = [upload.part(number) for number in range(4)]
        parts[0].write(os.urandom(BLOCK_BYTES))
        parts[0].wait()
        for part in parts:
            part.write(os.urandom(BLOCK_BYTES // 2))
            part.stage_rest()
        for part in parts:
            part.wait()
    assert far.delay({})[azurite.port]["connections"] == 1
