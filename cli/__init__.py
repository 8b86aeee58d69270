"""The `tailrace` command: the worker, manual requests, dead letters, checks."""

from typing import Any

# As in pyproject.toml. A container image has the files only, so no installed package could say it.
VERSION = "0.1.0"
# Of every group of commands. Ordinary tracebacks: prettier ones could show local variables, which may hold secrets.
STYLE: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,  # `tailrace completion` prints the scripts
}
FACE = ("terminal",)
