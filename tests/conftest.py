"""Real servers once a session, and a new database, queue and container for every test that asks for one."""

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from psycopg import sql
from typer.testing import CliRunner

from devstack.stack import Stack

sys.path.insert(0, str(Path(__file__).parent))
from support.leaks import Written, add_secrets, leaks_of_files, text_of
from support.pauses import look_often

NUMBER = itertools.count(1)
BEGAN = time.monotonic()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Written(), "written")
    # A script's background has it ignored; the commands that tests interrupt would inherit that, and go on.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    look_often()


@pytest.fixture(scope="session", autouse=True)
def _no_secret_is_written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Looks at all that commands print, and in the end at all logs; the plugin looks at what pytest captures."""
    written = request.config.pluginmanager.get_plugin("written")
    run, invoke = subprocess.run, CliRunner.invoke

    def looking_run(*args: Any, **options: Any) -> Any:
        done = run(*args, **options)
        written.look(text_of(done))
        return done

    def looking_invoke(*args: Any, **options: Any) -> Any:
        result = invoke(*args, **options)
        written.look(result.output)
        return result

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "run", looking_run)
        patched.setattr(CliRunner, "invoke", looking_invoke)
        yield
    assert leaks_of_files(tmp_path_factory.getbasetemp()) == {}, "a log holds a secret"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=["embedded", "containers"],
        default="embedded",
        help="where the servers come from: packages of the venv, or the vendors' container images",
    )
    parser.addoption(
        "--seconds", type=float, metavar="N", help="skip the tests that have not begun after so long: a slow machine"
    )
    parser.addoption("--pictures", metavar="FOLDER", help="where tests/browser/test_pictures.py puts its pictures")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    seconds = item.config.getoption("--seconds")
    if seconds is not None and time.monotonic() - BEGAN > seconds:
        pytest.skip(f"not begun within {seconds:g} seconds")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """PostgreSQL, blob storage and Service Bus: `stack.postgres`, `stack.azurite`, `stack.service_bus`."""
    if request.config.getoption("--stack") == "containers":
        from support.containers import ContainerStack

        servers = ContainerStack.start()
    else:
        servers = Stack.start(tmp_path_factory.mktemp("stack"), spare_queues=500)
    with servers as running:
        add_secrets(running.environ())
        add_secrets({"admin PASSWORD": running.postgres.parameters("postgres")["password"]})
        yield running


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """The name of an empty database; `exporter` may read what `postgres` creates there."""
    name = f"test_{next(NUMBER)}"
    with psycopg.connect(**stack.postgres.parameters("postgres"), autocommit=True) as server:
        # By a checkpoint rather than by a log of every page; older ones know no other way.
        how = sql.SQL("strategy file_copy" if server.info.server_version >= 150000 else "")
        server.execute(sql.SQL("create database {} {}").format(sql.Identifier(name), how))
        yield name
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def admin(stack: Stack, database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the test's database, in autocommit."""
    with psycopg.connect(**stack.postgres.parameters("postgres", database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def container(stack: Stack) -> Iterator[ContainerClient]:
    """An empty blob container."""
    with BlobServiceClient.from_connection_string(stack.azurite.connection_string) as service:
        with service.create_container(f"test-{next(NUMBER)}") as client:
            yield client
            client.delete_container()


@pytest.fixture
def queue(stack: Stack) -> str:
    """The name of an unused queue."""
    return stack.unused_queue()


@pytest.fixture
def environ(stack: Stack, database: str, queue: str, container: ContainerClient) -> dict[str, str]:
    """The settings of the project, for this test's database, queue and container."""
    return stack.environ(database=database, queue=queue, container=container.container_name)
