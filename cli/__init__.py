"""The `tailrace` command: the worker, manual requests, dead letters, checks."""

# As in pyproject.toml. A container image has the files only, so no installed package could say it.
VERSION = "0.1.0"
FACE = ()
