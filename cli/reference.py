"""Writes docs/reference/cli.md from the commands' own help.

python -m cli.reference            writes it
python -m cli.reference --check    exits 1 if it is stale
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
_HEAD = """\
# The command

`tailrace` is in `.venv/bin` after any `make` target, and in the container image. This page is each command's own help.

[What `--json` prints](json.md) is on a page of its own.

Exit status: 0 done, 1 failed or not all is well, 2 wrong settings, `jobs.toml` or arguments, 130 interrupted.
"""


def page() -> str:
    """The text as it should be."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    # Set before anything reads the width of the terminal.
    os.environ.update(COLUMNS="80", TERMINAL_WIDTH="80")
    import typer
    from typer.core import TyperGroup

    from cli.main import app

    def help_of(command: object, name: str, parent: object) -> Iterator[str]:
        context = command.make_context(name, [], parent=parent, resilient_parsing=True)  # type: ignore[attr-defined]
        if isinstance(command, TyperGroup):
            for sub in command.commands.values():
                yield from help_of(sub, str(sub.name), context)
        else:
            text = "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())  # type: ignore[attr-defined]
            yield f"## {context.command_path}\n\n```\n{text}\n```\n"

    yield from help_of(typer.main.get_command(app), "tailrace", None)


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    text = page()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text("utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE.name} is stale: run `python -m cli.reference` and commit it\n")
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
