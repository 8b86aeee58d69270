"""Checks an azd environment before anything is created: `python -m deploy.preflight`, run by azure.yaml."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy import capacity

_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def problems(environ: Mapping[str, str]) -> list[str]:
    """What is missing or contradictory in the azd environment `environ`, each with the command that fixes it.

    >>> problems({"TAILRACE_POSTGRES_HOST": "db.example"})
    []
    """
    return [*_server_problems(environ), *_storage_problems(environ), *_operator_problems(environ)]


def _server_problems(environ: Mapping[str, str]) -> list[str]:
    if environ.get("TAILRACE_POSTGRES_MODE", "existing") == "existing":
        if environ.get("TAILRACE_POSTGRES_HOST"):
            return []
        return ["no server to export from; azd env set TAILRACE_POSTGRES_HOST <host>, or TAILRACE_POSTGRES_MODE new"]
    if environ.get("TAILRACE_POSTGRES_ADMIN"):
        return []
    return ["a new server needs an Entra administrator; azd env set TAILRACE_POSTGRES_ADMIN <your user name in Entra>"]


def _storage_problems(environ: Mapping[str, str]) -> list[str]:
    days = {}
    for name in ("TAILRACE_IMMUTABILITY_DAYS", "TAILRACE_COOL_AFTER_DAYS", "TAILRACE_DELETE_AFTER_DAYS"):
        text = environ.get(name) or "0"
        if not text.isdecimal():
            return [f"{name} must be a number of days, not {text!r}; azd env set {name} 0"]
        days[name] = int(text)
    kept, cooled, deleted = days.values()
    found = []
    if deleted and deleted <= kept:
        found.append(
            f"exports would be deleted after {deleted} days, but nothing can be deleted for {kept}; raise "
            "TAILRACE_DELETE_AFTER_DAYS above TAILRACE_IMMUTABILITY_DAYS"
        )
    if deleted and cooled >= deleted:
        found.append("exports would be deleted before they are cooled; set TAILRACE_COOL_AFTER_DAYS lower, or to 0")
    return found


def _operator_problems(environ: Mapping[str, str]) -> list[str]:
    operator = environ.get("TAILRACE_OPERATOR_ID", "")
    if operator and not _UUID.match(operator):
        return [f"TAILRACE_OPERATOR_ID must be an object id, not {operator!r}; az ad signed-in-user show --query id"]
    if environ.get("TAILRACE_HOSTING_PLAN") == "premium" and not operator:
        return ["a Premium plan's package is uploaded by a person; azd env set TAILRACE_OPERATOR_ID <object id>"]
    return []


def main() -> int:
    """0 if there is no problem; else 1, with a line on stderr for each."""
    found = problems(os.environ)
    sys.stderr.writelines(f"preflight: {problem}\n" for problem in found)
    fits = capacity.main(["--check", "--root", str(Path(__file__).parent.parent)])
    return 1 if found else fits


if __name__ == "__main__":
    sys.exit(main())
