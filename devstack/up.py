"""`make up`: the embedded stack in the foreground until Ctrl-C, and files with its settings for other programs.

`.local/env` is for a shell, `.local/local.settings.json` for the Functions tools. They hold passwords that are worth
something as long as the stack runs; only their owner can read them, and they go with it. With `--lasting` tables,
blobs, ports and passwords are the same at the next start.
"""

import argparse
import fcntl
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.postgres import free_port
from devstack.postgres_address import ADMIN
from devstack.postgres_cluster import write_private
from devstack.postgres_programs import installed
from devstack.process import Process, ProcessError
from devstack.stack import Stack

DEFAULT_FOLDER = Path(__file__).parents[1] / ".local"
POLL_S = 0.5


def main(arguments: list[str]) -> int:
    """Run the stack. Returns 0 after Ctrl-C, 1 if a server does not start or ends, 2 if the folder is in use."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m devstack.up", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--lasting", action="store_true", help="data and ports are the same at the next start")
    given = parser.parse_args(arguments)
    folder = given.folder
    folder.mkdir(exist_ok=True)
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            starting = Stack.start_lasting(folder / "lasting") if given.lasting else Stack.start(folder / "up")
            with starting as stack, settings_files(stack, folder):
                print(summary(stack, folder, lasting=given.lasting), flush=True)
                wait_for_an_end(stack)
        except BlockingIOError:
            print(f"make up: it runs already; its settings are in {folder / 'env'}", file=sys.stderr)
            return 2
        except (ProcessError, RuntimeError) as error:
            print(f"make up: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0
    return 0


@contextmanager
def settings_files(stack: Stack, folder: Path) -> Iterator[None]:
    """Write `env` and `local.settings.json`, and remove them at the end."""
    environ = {**stack.environ(), "TAILRACE_TICK": "0 * * * * *"}
    settings = {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": stack.azurite.connection_string, **environ}
    admin = {"LOCAL_ADMIN_DSN": stack.postgres.dsn(ADMIN)}
    files = {
        folder / "env": shell_lines(environ | admin),
        folder / "local.settings.json": json.dumps({"IsEncrypted": False, "Values": settings}, indent=2) + "\n",
    }
    try:
        for path, text in files.items():
            write_private(path, text)
        yield
    finally:
        for path in files:
            path.unlink(missing_ok=True)


def shell_lines(environ: Mapping[str, str]) -> str:
    """Write assignments for a shell.

    >>> shell_lines({"PGHOST": "127.0.0.1", "ExportStorage": "AccountName=a;AccountKey=b="})
    "PGHOST=127.0.0.1\\nExportStorage='AccountName=a;AccountKey=b='\\n"
    """
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in environ.items())


def summary(stack: Stack, folder: Path, *, lasting: bool) -> str:
    """Describe what runs where, with commands that work as they stand and without secrets."""
    here, programs = shown(folder), shown(Path(sys.prefix, "bin"))
    host = f"{programs}/python -m emulators.functions_host --settings {here}/local.settings.json --port {free_port()}"
    end = "tables and blobs stay, messages go" if lasting else "the data goes with it"
    return f"""\
PostgreSQL    127.0.0.1:{stack.postgres.port}, database tailrace; user exporter reads, user postgres may do anything
Blob storage  {stack.azurite.service_uri}, container exports
Service Bus   127.0.0.1:{stack.service_bus.port}, queue exports
Logs          {shown(stack.postgres.log.parent)}/

In another terminal, in the same folder, this comes first:
  set -a; . {here}/env; set +a

Make tables, check jobs.toml, work the queue, or run the function app:
  {psql()} "$LOCAL_ADMIN_DSN" -c "create schema if not exists events"
  {programs}/tailrace jobs
  {programs}/tailrace dlq list
  {programs}/tailrace work --until-empty
  {host}

The last command is our own Functions host. Core Tools (func start) and .NET clients were not tried with this stack.

Ctrl-C ends everything; {end}."""


def shown(path: Path) -> str:
    """Quote a path for a shell, relative to the present folder."""
    return shlex.quote(os.path.relpath(path))


def psql() -> str:
    """Return the psql that came with the server."""
    return shown(installed() / "psql")


def wait_for_an_end(stack: Stack) -> None:
    """Never return, but raise ProcessError when a server is gone."""
    servers: list[tuple[str, Process]] = [
        ("PostgreSQL", stack.postgres.process),
        ("Azurite", stack.azurite.process),
        ("Service Bus", stack.service_bus.process),
    ]
    while True:
        for name, process in servers:
            if process.returncode is not None:
                raise ProcessError(f"{name} ended by itself with status {process.returncode}; see {process.log}")
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
