"""`python -m emulators.service_bus [--config FILE] [--port N] …`: serve until SIGTERM or SIGINT."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from emulators.service_bus import config
from emulators.service_bus.admin.server import AdminServer
from emulators.service_bus.admin.tls import Tls
from emulators.service_bus.control import Control
from emulators.service_bus.server import Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker. Returns the exit status."""
    options = _options(arguments)
    try:
        queues = config.read(options.config).queues
        server = Server(queues, options.port, host=options.host, idle_links_ms=round(options.idle_links * 1000))
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        return _cannot_listen(error, options.host, options.port, "--port")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    try:
        admin = None if options.admin_port is None else _admin(server, options)
    except OSError as error:
        server.close()
        return _cannot_listen(error, options.host, options.admin_port, "--admin-port")
    except ModuleNotFoundError as error:
        server.close()
        print(f"--tls-folder needs the package {error.name}: pip install {error.name}", file=sys.stderr)
        return 2
    _serve(server, admin, options.host)
    return 0


def _serve(server: Server, admin: AdminServer | None, host: str) -> None:
    try:
        if admin is not None:
            print(f"Admin API listening on {host}:{admin.port}", flush=True)
            threading.Thread(target=admin.serve, daemon=True).start()
        print(f"Service Bus broker listening on {host}:{server.port}", flush=True)
        server.serve()
    finally:
        if admin is not None:
            admin.stop()
        server.close()


def _admin(server: Server, options: argparse.Namespace) -> AdminServer:
    tls = None
    if options.tls_folder is not None:
        from emulators.certificate import create_certificate  # needs a package that nothing else here does

        options.tls_folder.mkdir(parents=True, exist_ok=True)
        made = create_certificate(options.tls_folder)
        tls = Tls(made.certificate, made.key)
    return AdminServer(Control(server), options.admin_port, host=options.host, tls=tls)


def _cannot_listen(error: OSError, host: str, port: int, option: str) -> int:
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
    print(f"cannot listen on {host}:{port}: {reason}; choose another {option}", file=sys.stderr)
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    says = "A local Service Bus namespace."
    parser = argparse.ArgumentParser(prog="python -m emulators.service_bus", description=says)
    parser.add_argument("--config", type=Path, default=config.DEFAULT, help="the official emulator's Config.json")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=5672, help="for AMQP; 0 for any free port (default: 5672)")
    parser.add_argument("--admin-port", type=_port, help="for HTTP: queues, health, faults (default: none)")
    parser.add_argument(
        "--tls-folder", type=Path, help="serve HTTPS on the admin port, too; ca.pem in this folder is what to trust"
    )
    parser.add_argument(
        "--idle-links", type=float, default=600, help="seconds after which an idle link is detached (default: 600)"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
