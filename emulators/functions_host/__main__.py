"""Run a function app in Microsoft's Python worker library, on a machine without Azure Functions Core Tools.

It fires timer triggers, feeds Service Bus queue triggers, serves HTTP functions, sends what functions put into Service
Bus queue outputs, and settles messages for ServiceBusMessageActions. Core Tools (`func start`) read the same settings
file; they were not tried with it.
"""

import argparse
import os
import sys
from pathlib import Path

from emulators.functions_host.app_settings import HostError
from emulators.functions_host.host import Arguments, Host, check_app

_AFTERWARDS = """\
The process environment wins over Values of the settings file. Beside the HTTP functions there are
  GET  /admin/functions          the functions of the app
  POST /admin/functions/{name}   fire a timer function now, answered with 202
SIGTERM and Ctrl-C end the host; functions that still run after --drain seconds are killed in the middle,
without their finally blocks, as in Azure.
"""


def arguments(argv: list[str]) -> Arguments:
    """Read the command line."""
    given = _parser().parse_args(argv)
    beside = given.app / "local.settings.json"
    settings = given.settings or (beside if beside.is_file() else None)
    only = frozenset(name.strip() for name in given.only.split(",") if name.strip())
    return Arguments(given.app, settings, given.port, only, given.drain, not given.no_settlement)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.functions_host",
        description=__doc__,
        epilog=_AFTERWARDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--app", type=Path, default=Path(), metavar="DIR", help="the app; default: this folder")
    add(
        "--settings", type=Path, metavar="FILE", help="default: local.settings.json in the app's folder, if it is there"
    )
    add("--port", type=int, default=7071, help="of the HTTP endpoint, 0 for a free one; default: %(default)s")
    add("--only", default="", metavar="NAME[,NAME]", help="run these functions and no others")
    add("--drain", type=float, default=0, metavar="S", help="seconds for running functions at the end; default: none")
    refuse = 'answer settlements with "Service is unimplemented.", as some real hosts do'
    add("--no-settlement", action="store_true", help=refuse)
    return parser


def main() -> int:
    """Run the host; 0 after a signal, 1 after a mistake a person has to correct, which stderr explains."""
    given = arguments(sys.argv[1:])
    try:
        check_app(given.app)
        return Host(given).run()
    except HostError as error:
        print(f"The Functions host cannot run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads that still wait for the broker must not keep the process
