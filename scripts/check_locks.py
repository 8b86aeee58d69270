"""Compares the lock files with pyproject.toml and with each package.json. Needs no network.

Exit status 1, with a line for each difference.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"^([\w.-]+)==(\S+)(?: ;.*?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
NODE = tuple(ROOT / folder for folder in ("devstack/node", "tests/browser", "tests/support/clients"))


def main(arguments: list[str]) -> int:
    """Check; or `--print-extra NAME` a list of requirements; or `--tidy-node` the Node lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    match arguments:
        case ["--print-extra", extra]:
            sys.stdout.write("\n".join(project["optional-dependencies"][extra]) + "\n")
            return 0
        case ["--tidy-node"]:
            for folder in NODE:
                tidy_node(folder)
            return 0
    differences = [*python_differences(project), *(one for folder in NODE for one in node_differences(folder))]
    if differences:
        sys.stderr.write("\n".join([*differences, "The lock files are stale: run `make lock`."]) + "\n")
    return bool(differences)


def python_differences(project: dict[str, Any]) -> list[str]:
    """Requirements that a lock file does not satisfy, and versions that differ between the lock files."""
    extras = project["optional-dependencies"]
    runtime = [*project["dependencies"], *extras["telemetry"]]
    wanted = {
        "requirements.txt": runtime,
        "requirements-dev.txt": [*runtime, *extras["cli"], *extras["local"], *extras["parquet"], *extras["dev"]],
        "requirements-node.txt": extras["node"],
        "requirements-zig.txt": extras["zig"],
        "requirements-parquet.txt": extras["parquet"],
        "deploy/requirements-cli.txt": extras["cli"],
    }
    texts = {name: (ROOT / name).read_text() for name in wanted}
    found = [difference for name, asked in wanted.items() for difference in unmet(name, texts[name], asked)]
    ahead = set(locked(texts["requirements.txt"]).items()) - set(locked(texts["requirements-dev.txt"]).items())
    return found + [f"requirements-dev.txt: {name} is not {version}, as in requirements.txt" for name, version in ahead]


def unmet(name: str, text: str, asked: list[str]) -> list[str]:
    """Requirements that one lock file does not satisfy.

    >>> text = "pydantic==2.1 " + chr(92) + chr(10) + "    --hash=sha256:" + "0" * 64 + chr(10)
    >>> unmet("requirements.txt", text, ["pydantic==2.1"])
    []
    >>> unmet("requirements.txt", text, ["pydantic==2.2", "isal"])
    ['requirements.txt: pydantic==2.2 is asked for, 2.1 is locked', 'requirements.txt: isal is not locked']
    """
    versions, differences = locked(text), []
    if LOCKED.sub("", text).strip():
        differences.append(f"{name}: not every line is a version with its hashes")
    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            differences.append(f"{name}: {requirement.name} is not locked")
        elif not requirement.specifier.contains(version, prereleases=True):
            differences.append(f"{name}: {requirement} is asked for, {version} is locked")
    return differences


def locked(text: str) -> dict[str, str]:
    """Versions by name."""
    return {canonicalize_name(name): version for name, version, _ in LOCKED.findall(text)}


def node_differences(folder: Path) -> list[str]:
    """Where a folder's Node lock file differs from its package.json, or names a host."""
    path = folder / "package-lock.json"
    asked = json.loads((folder / "package.json").read_text())["dependencies"]
    text = path.read_text()
    packages = json.loads(text)["packages"]
    differences = [
        f"{name} {version} is asked for"
        for name, version in asked.items()
        if packages.get(f"node_modules/{name}", {}).get("version") != version
    ]
    if packages[""].get("dependencies") != asked:
        differences.append("its list of dependencies is not package.json's")
    if "://" in text:
        differences.append("it names a host")
    return [f"{path.relative_to(ROOT)}: {difference}" for difference in differences]


def tidy_node(folder: Path) -> None:
    """Removes addresses that the installation does not need from a Node lock file: of donations and licences."""
    path = folder / "package-lock.json"
    lock = json.loads(path.read_text())
    for package in lock["packages"].values():
        package.pop("funding", None)
        if "://" in package.get("license", ""):
            del package["license"]
    path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
