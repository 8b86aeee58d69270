"""What the container job runs is a command line that the image's command takes."""

import subprocess
from collections.abc import Mapping

import pytest
from support.command import run_tailrace

from deploy.template.syntax import Template, literal, walk


@pytest.fixture(scope="module")
def arguments(templates: Mapping[str, Template]) -> list[str]:
    """The arguments that the job gives to `tailrace`."""
    [array] = [
        node.named_children[1]
        for node in walk(templates["worker_job.bicep"].root)
        if node.type == "object_property" and node.text is not None and node.text.startswith(b"args:")
    ]
    return [str(literal(node)) for node in array.named_children]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Without settings, so that a command line that is understood fails for want of them, before anything is opened.
    return run_tailrace(arguments, {"PATH": "/usr/bin:/bin"}, own=True)


def test_the_job_s_command_line_is_understood(arguments: list[str]) -> None:
    done = _run(*arguments)
    assert "PGHOST is missing" in done.stderr


def test_a_command_line_that_is_not_understood_fails_otherwise() -> None:
    done = _run("work", "--no-such-option")
    assert done.returncode == 2
    assert "PGHOST is missing" not in done.stderr
