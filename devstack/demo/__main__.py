"""Runs the demo; exits with 1 if anything is off."""

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event

import psycopg
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient
from rich.console import Console
from rich.live import Live

from devstack.demo import report
from devstack.demo.hosts import fire_timer, running_hosts
from devstack.demo.restored import Proof, prove_restorable
from devstack.demo.watch import View, Watcher
from devstack.process import ProcessError
from devstack.stack import CONTAINER, QUEUE, Stack
from operations.pauses import operator
from settings import Settings
from web.server import Server, serving

_FOLDER = Path(__file__).parent
_DAYS = 30  # as far back as the catch_up of jobs.toml
_INVALID, _PATIENCE_SECONDS = "not-a-request", 120.0
_REASONS = ["InvalidRequest", "TableMissing"]


def main() -> int:
    """The demo in five steps; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack.demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table; default 1,000,000")
    parser.add_argument("--ui", action="store_true", help="keep everything running at the end, until Ctrl-C")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    console.soft_wrap = not console.is_terminal  # a file takes each line whole
    directory = Path(tempfile.mkdtemp(prefix="tailrace-demo-"))
    try:
        return _run(console, directory, arguments.rows, stays=arguments.ui)
    except ProcessError as error:
        console.print(f"[red]The demo could not start:[/red] {error}", markup=True)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(console: Console, directory: Path, rows: int, *, stays: bool) -> int:
    started = time.monotonic()
    console.print("Starting PostgreSQL, Azurite and the Service Bus broker …")
    with Stack.start(directory) as stack, serving(Settings.from_env(_environ(stack)), operator()) as server:
        lasting = "until Ctrl-C" if stays else "while the demo runs; `make demo UI=1` keeps it up"
        console.print(f"The page is at {server.page} {lasting}.", soft_wrap=True)  # the address stays whole
        console.print(f"Loading {rows:,} rows of {_DAYS} days into events.bannerclicked …")
        with psycopg.connect(stack.postgres.dsn("postgres"), autocommit=True) as connection:
            sql = (_FOLDER / "data.sql").read_text().format(rows=rows, days=_DAYS)
            connection.execute(sql.encode())
            view = _export(console, stack, directory)
            report.blobs(view)
            report.dead_letters(view)
        console.print("The drill: restoring every window, and comparing it with its receipt and with the source …")
        proof = prove_restorable(_environ(stack), stack.postgres.dsn("postgres"))
        problems = _problems(view, proof, rows)
        report.verdict(console, proof, problems)
        console.print(f"{time.monotonic() - started:.0f} s in all.")
        if stays:
            _stay(console, stack, directory, server)
    return 1 if problems else 0


def _stay(console: Console, stack: Stack, directory: Path, server: Server) -> None:
    """Until Ctrl-C: the page, and workers for what is asked for on it."""
    with suppress(KeyboardInterrupt), running_hosts(_environ(stack), directory):
        console.print(f"The page is at {server.page} until Ctrl-C.", soft_wrap=True)
        Event().wait()


def _environ(stack: Stack) -> dict[str, str]:
    return stack.environ() | {"TAILRACE_JOBS": str(_FOLDER / "jobs.toml"), "TAILRACE_TICK": "0 0 * * * *"}


def _export(console: Console, stack: Stack, directory: Path) -> View:
    console.print("Starting a Functions host with the timer, one with the queue trigger, and a container worker …")
    with (
        running_hosts(_environ(stack), directory) as host,
        BlobServiceClient.from_connection_string(stack.azurite.connection_string) as blobs,
        ServiceBusClient.from_connection_string(stack.service_bus.connection_string) as bus,
    ):
        with bus.get_queue_sender(QUEUE) as sender:
            sender.send_messages(ServiceBusMessage("{}", message_id=_INVALID))
        console.print(
            "Two messages have to be dead-lettered: one that is no request, and one for a table that does not exist. "
            "Firing the timer …"
        )
        fire_timer(host)
        watcher = Watcher(blobs.get_container_client(CONTAINER), bus)
        return _watch(console, watcher)


def _watch(console: Console, watcher: Watcher) -> View:
    started = time.monotonic()
    with Live(console=console, refresh_per_second=8, transient=not console.is_terminal) as live:
        while True:
            view, seconds = watcher.look(), time.monotonic() - started
            live.update(report.progress(view, _DAYS, seconds))
            done = len(view.receipts) == _DAYS and len(view.dead_letters) == len(_REASONS) and not view.queued
            if done or seconds > _PATIENCE_SECONDS:
                break
            time.sleep(0.2)
    if not console.is_terminal:
        console.print(report.progress(view, _DAYS, seconds))
    return view


def _problems(view: View, proof: Proof, rows: int) -> list[str]:
    found = sorted(letter.reason for letter in view.dead_letters)
    checks = {
        f"{len(view.receipts)} blobs are there, {_DAYS} were expected": len(view.receipts) == _DAYS,
        f"the receipts count {view.rows:,} rows of {rows:,}": view.rows == rows,
        f"{view.queued} messages are still in the queue": view.queued == 0,
        f"the dead letters' reasons are {found}, not {_REASONS}": found == _REASONS,
        f"{proof.same} of {_DAYS} windows are proven restorable and equal to the source": proof.same == _DAYS,
        f"{proof.rows:,} rows came back of {rows:,}": proof.rows == rows,
    }
    return [problem for problem, is_well in checks.items() if not is_well]


if __name__ == "__main__":
    sys.exit(main())
