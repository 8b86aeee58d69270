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


def connections(line: tuple[Network, Azurite], delay_ms: float) -> int:
    """How many connections the upload of some blocks opens, which is how many of its requests are made at once."""
    far, azurite = line
    environ = {"ExportStorage": azurite.connection_string, "ServiceBusConnection": BUS}
    settings = Settings.from_env(environ, postgres=False)
    block = os.urandom(BLOCK_BYTES)
    far.delay({azurite.port: delay_ms})
    with far.at_the_worker(), closing(Sink(settings)) as sink:
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
