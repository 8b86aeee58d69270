"""Concurrency, memory and connections: derived from deploy/capacity.json, and checked against each other.

`python -m deploy.capacity --check` lists what does not fit; `--write` puts the derived values into host.json and
deploy/capacity.values.json, which the Bicep templates load. docs/how-to/deploy.md explains each number.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from deploy.limits import Capacity, problems

type Json = dict[str, Any]

# The lock must outlive the function, else the same export runs twice.
LOCK_MARGIN_MINUTES = 5
# The timer and POST /api/exports must not wait for running exports of the same process.
SPARE_THREADS = 2


def bicep_values(capacity: Capacity) -> Json:
    """The content of deploy/capacity.values.json, which the templates load."""
    functions, containers = capacity.functions, capacity.containers
    return {
        "functions": {
            "maximumInstanceCount": functions.instances,
            "instanceMemoryMB": functions.memory_mb,
            "threads": functions.exports_at_once + SPARE_THREADS,
            "concurrency": functions.exports_at_once,
            "poolSize": capacity.pool_size(functions),
            "maxStreams": capacity.connections_per_export,
        },
        "containers": {
            "maxExecutions": containers.instances,
            "cpu": f"{containers.memory_mb / 2048:g}",
            "memory": f"{containers.memory_mb / 1024:g}Gi",
            "replicaTimeoutSeconds": containers.timeout_minutes * 60,
            "concurrency": containers.exports_at_once,
            "poolSize": capacity.pool_size(containers),
            "maxStreams": capacity.connections_per_export,
        },
        "database": {"maxConnections": capacity.max_connections},
        "delivery": {"maxAttempts": capacity.max_attempts, "maxDeliveryCount": capacity.max_delivery_count},
    }


def with_host_values(host: Json, capacity: Capacity) -> Json:
    """`host` (host.json) with the values derived from `capacity`; everything else stays."""
    timeout = capacity.functions.timeout_minutes
    service_bus = host["extensions"]["serviceBus"] | {
        "maxConcurrentCalls": capacity.functions.exports_at_once,
        "maxAutoLockRenewalDuration": timespan(timeout + LOCK_MARGIN_MINUTES),
    }
    extensions = host["extensions"] | {"serviceBus": service_bus}
    return host | {"functionTimeout": timespan(timeout), "extensions": extensions}


def timespan(minutes: int) -> str:
    """`minutes` as host.json writes a duration of less than a day.

    >>> timespan(95)
    '01:35:00'
    """
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def differences(found: Any, wanted: Any, at: str) -> list[str]:
    """The differences of two JSON values, by path.

    >>> differences({"a": {"b": 1}}, {"a": {"b": 2}}, "host.json")
    ['host.json a.b is 1, but capacity.json asks for 2']
    """
    if isinstance(found, dict) and isinstance(wanted, dict):
        separator = "." if " " in at else " "
        keys = sorted(found.keys() | wanted.keys())
        return [line for key in keys for line in differences(found.get(key), wanted.get(key), f"{at}{separator}{key}")]
    if type(found) is type(wanted) and found == wanted:
        return []
    return [f"{at} is {json.dumps(found)}, but capacity.json asks for {json.dumps(wanted)}"]


def _outdated(root: Path, capacity: Capacity) -> list[str]:
    host, values = _read(root / "host.json"), _read(root / "deploy" / "capacity.values.json")
    lines = differences(host, with_host_values(host, capacity), "host.json")
    lines += differences(values, bicep_values(capacity), "capacity.values.json")
    return [f"{line}; run python -m deploy.capacity --write" for line in lines]


def _write(root: Path, capacity: Capacity) -> None:
    host = root / "host.json"
    host.write_text(json.dumps(with_host_values(_read(host), capacity), indent=2) + "\n", "utf-8")
    values = root / "deploy" / "capacity.values.json"
    values.write_text(json.dumps(bicep_values(capacity), indent=2) + "\n", "utf-8")


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text("utf-8"))
    return content


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 if all fits, else 1 with a line for each problem."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description=(__doc__ or "").partition("\n")[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="list what does not fit, and files that are out of date")
    action.add_argument("--write", action="store_true", help="update host.json and capacity.values.json")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent, help="the project's folder")
    options = parser.parse_args(arguments)
    try:
        capacity = Capacity.of(_read(options.root / "deploy" / "capacity.json"))
        found = problems(capacity)
        if options.write and not found:
            _write(options.root, capacity)
        found += _outdated(options.root, capacity)
    except (ValueError, OSError) as error:
        found = [str(error)]
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
