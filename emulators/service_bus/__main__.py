"""`python -m emulators.service_bus [--config FILE] [--port N]`: serve until SIGTERM or SIGINT."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from emulators.service_bus import config
from emulators.service_bus.server import Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker; the exit status."""
    options = _options(arguments)
    try:
        queues = config.read(options.config).queues
        server = Server(queues, options.port)
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        print(f"cannot listen on 127.0.0.1:{options.port}: {reason}; choose another --port", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    print(f"Service Bus broker listening on 127.0.0.1:{server.port}", flush=True)
    try:
        server.serve()
    finally:
        server.close()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    says = "A local Service Bus namespace."
    parser = argparse.ArgumentParser(prog="python -m emulators.service_bus", description=says)
    parser.add_argument("--config", type=Path, default=config.DEFAULT, help="the official emulator's Config.json")
    parser.add_argument("--port", type=_port, default=5672, help="0 for any free port (default: 5672)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
