from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus
from support.http import Http

from settings import Settings
from web.server import serving

JOBS = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "7 days"

[[job]]
name = "numbers"
schema = "public"
table = "numbers"
blob = "{job}/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 1

[[job]]
name = "again"
schema = "other"
table = "clicks"
blob = "{job}/{run}.csv.gz"
"""


@pytest.fixture
def configured(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return {**environ, "TAILRACE_JOBS": str(jobs), "TAILRACE_TICK": "0 * * * * *"}


@pytest.fixture
def settings(configured: dict[str, str]) -> Settings:
    return Settings.from_env(configured)


@pytest.fixture
def http(settings: Settings) -> Iterator[Http]:
    """The API on a server of its own, with its key."""
    with serving(settings, "tester") as server:
        yield Http(server.address, {"x-functions-key": server.key})


@pytest.fixture
def bus(configured: dict[str, str], container: ContainerClient) -> Iterator[Bus]:
    assert container.exists()
    with ServiceBusClient.from_connection_string(configured["ServiceBusConnection"]) as client:
        yield Bus(client, configured["TAILRACE_QUEUE"])
