"""The `tailrace` command: the worker, requests by hand, dead letters."""

# As in pyproject.toml; a container image has the files only, not the installed package that could tell.
VERSION = "0.1.0"
