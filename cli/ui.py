"""`tailrace ui`: the page and its API on this machine."""

import os
import sys
import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from cli.terminal import say
from contracts.jobs_file import load_jobs
from operations.pauses import operator
from settings import Settings
from telemetry.events import log_to_stderr


def ui(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, show_default="a free one", help="The port.")] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser of this machine.")
    ] = True,
) -> None:
    """Serve the page on this machine until Ctrl-C: what is there, missing, running and dead, and what to do about it.

    Only programs of this machine reach it, and only with the key that is in the printed address; each start has
    another. The API is under the same address: docs/reference/api.md.

    Example: tailrace ui

    Example: tailrace ui --port 8080 --no-open
    """
    settings = Settings.from_env(os.environ, postgres=False)
    load_jobs(settings.jobs)
    # Imported here: no other command needs a server.
    from web.server import listening

    log_to_stderr(as_json=False)
    server = listening(settings, operator(), port=port)
    say(f"the page is at {server.page}", "Ctrl-C ends it")
    if open_browser:
        webbrowser.open(server.page)
    # The way to end it is no failure.
    with suppress(KeyboardInterrupt):
        server.run()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that wait for a silent server would hold the process for a minute. What they began can be asked for again.
    os._exit(0)
