"""The page in a real browser, on a scene with every kind of trouble."""

import os
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from playwright.sync_api import Browser, Page, expect
from support.chromium import MODULES, browsing, chromium, why_not
from support.scene import Scene, scene

from devstack.stack import Stack
from web.server import Server, serving

# A look takes seconds on a busy machine.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        program = chromium()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(why_not(error))
    with browsing(program) as running:
        yield running


@pytest.fixture(scope="session")
def axe(browser: Browser) -> str:
    """The checker of accessibility, as a script."""
    assert browser.is_connected()
    return (MODULES / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def made(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for all tests of a module."""
    name = f"scene_{os.getpid()}"
    with (
        psycopg.connect(**stack.postgres.parameters("postgres"), autocommit=True) as server,
        BlobServiceClient.from_connection_string(stack.azurite.connection_string) as service,
    ):
        server.execute(f"create database {name}".encode())
        container: ContainerClient = service.create_container(name.replace("_", "-"))
        environ = stack.environ(database=name, queue=stack.unused_queue(), container=container.container_name)
        with psycopg.connect(**stack.postgres.parameters("postgres", name), autocommit=True) as admin:
            with scene(environ, admin, container, tmp_path_factory.mktemp("scene")) as found:
                yield found
        container.delete_container()
        server.execute(f"drop database {name} with (force)".encode())


@pytest.fixture(scope="module")
def server(made: Scene) -> Iterator[Server]:
    with serving(made.settings, "tester") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page on a desktop, after its first look."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        opened = context.new_page()
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        opened.goto(server.page)
        opened.set_default_timeout(20_000)
        opened.wait_for_selector(".card .chip")
        yield opened
        assert faults == []
