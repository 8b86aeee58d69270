"""A terminal for the command."""

import os
import pty
import subprocess


def in_terminal(argv: list[str], environ: dict[str, str]) -> str:
    """What a command that succeeds shows on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        output = bytearray()
        try:
            while data := os.read(ours, 4096):
                output += data
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return output.decode()
