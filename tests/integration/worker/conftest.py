"""Fixtures that open exporters with given settings."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from support.exports import NO_JOBS, Exports, OpenExports

from settings import Settings
from worker.assemble import open_worker

collect_ignore = ["settling_app"]  # its modules are imported by the worker library only


@pytest.fixture
def open_exports(environ: dict[str, str], container: ContainerClient, tmp_path: Path) -> Iterator[OpenExports]:
    """Opens an exporter with these settings; `jobs` is the text of jobs.toml."""
    with ExitStack() as opened:

        def begin(*, jobs: str = NO_JOBS, **settings: str) -> Exports:
            file = tmp_path / "jobs.toml"
            file.write_text(jobs)
            quick = {"TAILRACE_CONNECT_TIMEOUT_SECONDS": "5", "TAILRACE_JOBS": str(file)}
            read = Settings.from_env({**environ, **quick, **settings})
            return Exports(opened.enter_context(open_worker(read)), container)

        yield begin


@pytest.fixture
def exports(open_exports: OpenExports) -> Exports:
    return open_exports()
