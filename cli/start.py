"""The entry point of the installed command: Ctrl-C ends it in one line, also while it still loads."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Runs the command."""
    try:
        from cli.main import app

        app(prog_name="tailrace")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    except SystemExit as ended:
        # Typer ends an interrupted command without a word.
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):
            sys.stderr.write("interrupted\n")
        raise


if __name__ == "__main__":
    main()
