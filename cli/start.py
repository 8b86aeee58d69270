"""The entry point of the installed command: Ctrl-C ends it in one line, also while it still loads."""

import sys

from cli.signals import INTERRUPTED


def main() -> None:
    """Runs the command."""
    try:
        from cli.main import app

        app(prog_name="tailrace")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
