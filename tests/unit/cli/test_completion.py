"""What Tab offers: in a real bash, and to zsh and fish by what their scripts ask the program."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

BIN = Path(sys.executable).parent
# As bash does it at Tab: the function of the script fills COMPREPLY by the words of the line.
TAB = """
source <(tailrace completion bash)
COMP_WORDS=({line}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
$(complete -p tailrace | sed 's/.*-F \\([^ ]*\\) .*/\\1/') tailrace
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def environ(jobs: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TAILRACE_JOBS": str(jobs), **more}


def offered(line: str, jobs: Path) -> list[str]:
    """What bash offers at the end of a line."""
    script = TAB.format(line=line)
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environ(jobs), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tailrace stat", ["status"]),
        ("tailrace status c", ["clicks", "countries"]),
        ("tailrace status clicks o", ["orders"]),
        ("tailrace backfill or", ["orders"]),
        ("tailrace pause x", []),
        ("tailrace dlq list --job cl", ["clicks"]),
        ("tailrace dlq replay --reason Tabl", ["TableMissing"]),
        ("tailrace dlq drop --st", ["--stale"]),
        ("tailrace missing --state w", ["waiting"]),
    ],
)
def test_bash_offers_what_the_word_may_become(jobs_file: Path, line: str, expected: list[str]) -> None:
    assert offered(line, jobs_file) == expected


def test_job_names_are_those_of_the_file_at_that_moment(jobs_file: Path) -> None:
    jobs_file.write_text(jobs_file.read_text().replace('name = "clicks"', 'name = "taps"'))
    assert offered("tailrace history ''", jobs_file) == ["taps", "orders", "countries"]
    jobs_file.write_text("no TOML")
    assert offered("tailrace history ''", jobs_file) == []


@pytest.mark.parametrize(
    ("shell", "more", "expected"),
    [
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "clicks\tevents.clicks\ncountries\ta query\n"),
        (
            "zsh", {},
            """_arguments '*: :(("clicks":"events.clicks"\n"countries":"a query"))'\n""",
        ),
    ],
)  # fmt: skip
def test_zsh_and_fish_say_what_a_job_exports(jobs_file: Path, shell: str, more: dict[str, str], expected: str) -> None:
    asked = {"_TAILRACE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "tailrace status c", **more}
    done = subprocess.run(
        ["tailrace"],
        env=environ(jobs_file, **asked),
        executable=BIN / "tailrace",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(tailrace: Callable[..., Result], shell: str) -> None:
    script = tailrace("completion", shell).stdout
    assert f"_TAILRACE_COMPLETE=complete_{shell}" in script


def test_another_shell_is_refused_by_name(refused: Callable[..., str]) -> None:
    assert "'ksh' is not one of 'bash', 'zsh', 'fish'" in refused("completion", "ksh")
