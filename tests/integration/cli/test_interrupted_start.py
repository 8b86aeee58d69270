"""Ctrl-C while the command still loads."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Interrupts itself in the middle of the command's imports, as a person does on a slow machine.
SCRIPT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "producer.ask":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from cli.start import main
main()
"""


def test_ctrl_c_while_the_command_loads_ends_it_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "interrupted\n")
