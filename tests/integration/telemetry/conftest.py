from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.collector import Collector
from support.telemetry_processes import create_clicks, settings_in


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def plain(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of every process, without telemetry."""
    return settings_in(tmp_path, environ)


@pytest.fixture
def watched(plain: dict[str, str], collector: Collector) -> dict[str, str]:
    """With telemetry."""
    return {**plain, **collector.environ}


@pytest.fixture
def clicks(admin: psycopg.Connection) -> None:
    create_clicks(admin)
