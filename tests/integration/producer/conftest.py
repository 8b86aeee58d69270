"""The queue and the container of one test, as the producer's settings name them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bus import Bus, closed_together

from settings import Settings

JOBS = """
[[job]]
name = "clicks"
schema = "events"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "5 days"

[[job]]
name = "latest"
schema = "events"
table = "countries"
blob = "latest/countries.csv.gz"
schedule = "0 0 * * * *"
if_exists = "replace"

[[job]]
name = "asked"
query = "select 1"
blob = "asked/{run}.csv.gz"

[[job]]
name = "numbers"
schema = "events"
table = "clicks"
blob = "numbers/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 1000
"""


@pytest.fixture
def settings(environ: dict[str, str], tmp_path: Path) -> Settings:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return Settings.from_env({**environ, "TAILRACE_JOBS": str(jobs)})


@pytest.fixture(scope="session")
def buses() -> Iterator[list[Bus]]:
    with closed_together() as opened:
        yield opened


@pytest.fixture
def bus(environ: dict[str, str], buses: list[Bus]) -> Bus:
    buses.append(Bus(environ["ServiceBusConnection"], environ["TAILRACE_QUEUE"]))
    return buses[-1]
