import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from cli import VERSION
from cli.terminal import printable

type Tailrace = Callable[..., Result]
ROOT = Path(__file__).parents[3]
COMMANDS = [[], ["jobs"], ["submit"], ["backfill"], ["work"], ["dlq"], ["dlq", "list"], ["dlq", "replay"]]
COMMANDS += [["grants"], ["doctor"], ["init"], ["export"], ["pause"], ["resume"], ["backfills"], ["cancel"], ["tick"]]


def test_the_version_is_that_of_the_project(tailrace: Tailrace) -> None:
    assert tailrace("--version").stdout.startswith(f"tailrace {VERSION}, compiled for ")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_every_command_fits_80_columns_and_cuts_nothing_off(tailrace: Tailrace, command: list[str]) -> None:
    shown = tailrace(*command, "--help", COLUMNS="80").stdout
    assert shown.startswith("Usage: ")
    assert "..." not in shown.replace("]...", "")
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_help_loads_no_sdk() -> None:
    code = """
import sys
from cli.main import app
app(["--help"], standalone_mode=False)
heavy = {"azure", "requests", "croniter", "isal"} & set(sys.modules)
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def test_an_unknown_command_names_the_one_that_was_meant(refused: Callable[..., str]) -> None:
    assert "Did you mean 'work'?" in refused("wrok")


def test_a_drill_is_an_option_of_restore_and_who_looks_for_the_command_is_told_so(refused: Callable[..., str]) -> None:
    assert "there is no command 'drill'; `tailrace restore JOB --check` is a drill" in refused("drill")


def test_errors_are_red_on_a_terminal_only(tailrace: Tailrace) -> None:
    arguments = ("submit", "nothing")
    plain = tailrace(*arguments)
    assert plain.stderr == "error: there is no job 'nothing' in jobs.toml; it has clicks, countries, orders\n"
    coloured = tailrace(*arguments, FORCE_COLOR="1", TERM="xterm")
    assert coloured.stderr.startswith("\x1b[31merror: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("clicks", "job 'clicks' exports windows; say which by its start"),
        ("countries --window-start 2026-01-01", "job 'countries' has no windows; leave the window's start out"),
        (
            "clicks --window-start 8000-01-01",
            "the window of job 'clicks' that begins at 8000-01-01 00:00:00+00:00 is open until",
        ),
        ("orders --window-start -500", "job 'orders' has no window that begins at -500; the next one begins at 0"),
    ],
)
def test_a_submit_that_does_not_fit_the_job_is_one_clear_line(
    refused: Callable[..., str], arguments: str, said: str
) -> None:
    (line,) = refused("submit", *arguments.split()).splitlines()
    assert line.startswith(f"error: {said}")


def test_text_of_others_cannot_move_the_cursor_or_hide() -> None:
    assert printable("a\r\x1b]0;x\x07\u202eb\ud800") == "a\\r\\x1b]0;x\\x07\\u202eb\\ud800"
