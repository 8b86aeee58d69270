"""The `tailrace` command: the worker, requests by hand, dead letters."""

# As in pyproject.toml; a container image has the files only, and no installed package to ask.
VERSION = "0.1.0"
FACE = ()
