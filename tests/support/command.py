"""The command in this process: a process of its own spends most of its time on loading the modules."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[2]


def run_tailrace(
    arguments: tuple[str, ...], environ: Mapping[str, str], *, own: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, with this environment and no other. Raises what the command lets escape.

    `own`: in a process of its own, for 60 seconds at most, as a command needs that sets telemetry up, or that runs
    beside its test.
    """
    if own:
        argv = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(
            argv, cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False, timeout=60
        )
    with patch.dict(os.environ, environ, clear=True):
        result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)
