"""The worker process: runs one function app and nothing else; started by emulators.functions_host.worker.

Its arguments: the descriptor of the socket to the host, the app's directory, the port of the Settlement service.
The host kills it where Azure's host would: at a function timeout and at shutdown, in the middle of whatever it does.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import threading
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from emulators.functions_host.journal import render_log
from emulators.functions_host.library import Library, LoadError, new_loop
from emulators.functions_host.wire import Invocation, Outcome

PR_SET_PDEATHSIG = 1
MAX_MESSAGE_BYTES = 2**31 - 1


def main(arguments: list[str]) -> None:
    """Load the app, report it to the host, and run what the host sends until the host is gone."""
    descriptor, directory, port = arguments
    _die_with_parent()
    os.set_inheritable(int(descriptor), False)
    host: Connection = Connection(int(descriptor))
    # The settlement client of Microsoft's extension finds its host in the worker's command line.
    limit = ["--functions-grpc-max-message-length", str(MAX_MESSAGE_BYTES)]
    sys.argv = ["worker", "--host", "127.0.0.1", "--port", port, *limit]
    sys.path.insert(0, directory)
    render_log("app.log", logging.INFO)
    logging.getLogger("azure.functions").setLevel(logging.WARNING)  # the library's own account of each call
    loop, library = new_loop(), Library()
    try:
        loaded = loop.run_until_complete(library.load(Path(directory)))
    except LoadError as error:
        host.send(error.failure)
        os._exit(1)  # whatever threads the app's import has started
    host.send(loaded)
    threading.Thread(target=_relay, args=(host, library, loop), daemon=True, name="relay").start()
    try:
        loop.run_forever()
    finally:
        os._exit(1)  # a function called sys.exit: the process ends, as Azure's worker does


def _die_with_parent() -> None:
    """Have the kernel kill this process when the host dies, for app code can hold the interpreter for long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prctl := getattr(ctypes.CDLL(None), "prctl", None):
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _relay(host: Connection, library: Library, loop: asyncio.AbstractEventLoop) -> None:
    """Hand each invocation to the loop; end the process, as a kill would, when the host closes the socket."""
    try:
        while True:
            call: Invocation = host.recv()
            asyncio.run_coroutine_threadsafe(library.invoke(call), loop).add_done_callback(partial(_answer, host))
    except (EOFError, OSError):
        os._exit(1)


def _answer(host: Connection, finished: Future[Outcome]) -> None:
    host.send(finished.result())
