"""Pure: the capacity that deploy/capacity.json asks for, checked against the limits of Azure and PostgreSQL."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Azure Database for PostgreSQL reserves this many for replication and its own monitoring.
KEPT_BY_AZURE = 15
# While new workers start, the old ones still finish their exports.
OVERLAP = 2
# The rest is for the Functions host, the page cache and whatever a measurement missed.
USABLE_MEMORY = 0.75
# After this time the platform may end an instance that it scales in, whatever the timeout.
SCALE_IN_GRACE_MINUTES = 60
FLEX_MEMORY_MB = (512, 2048, 4096)
CONTAINER_MEMORY_MB = (512, 1024, 1536, 2048, 2560, 3072, 3584, 4096)


@dataclass(frozen=True)
class Workers:
    """One kind of worker: how many processes, and the resources of each. Memory in MB (2^20 bytes)."""

    instances: int
    exports_at_once: int
    memory_mb: int
    timeout_minutes: int


@dataclass(frozen=True)
class Capacity:
    """The content of deploy/capacity.json."""

    functions: Workers
    containers: Workers
    connections_per_export: int
    export_memory_mb: int
    process_memory_mb: int
    max_connections: int
    kept_for_others: int
    max_attempts: int
    max_delivery_count: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Capacity":
        """The capacity that `data` (deploy/capacity.json) asks for. Raises ValueError that names the bad entry."""
        export, database, delivery = (_numbers(data, name) for name in ("export", "database", "delivery"))
        try:
            return cls(
                functions=Workers(**_numbers(data, "functions")),
                containers=Workers(**_numbers(data, "containers")),
                connections_per_export=export["connections"],
                export_memory_mb=export["memory_mb"],
                process_memory_mb=export["process_memory_mb"],
                max_connections=database["max_connections"],
                kept_for_others=database["kept_for_others"],
                max_attempts=delivery["max_attempts"],
                max_delivery_count=delivery["max_delivery_count"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"capacity.json: an entry is missing or unknown: {error}") from None

    def pool_size(self, workers: Workers) -> int:
        """Connections that one process may open: exactly enough for all its exports."""
        return workers.exports_at_once * self.connections_per_export

    @property
    def peak_connections(self) -> int:
        """Connections at the worst moment, when a deployment overlaps with running exports."""
        return OVERLAP * max(kind.instances * self.pool_size(kind) for kind in (self.functions, self.containers))


def problems(capacity: Capacity) -> list[str]:
    """Each misfit with its remedy; empty if all fits."""
    return [
        *_connection_problems(capacity),
        *_memory_problems("functions", capacity.functions, capacity),
        *_memory_problems("containers", capacity.containers, capacity),
        *_time_problems(capacity),
    ]


def _connection_problems(capacity: Capacity) -> list[str]:
    free = capacity.max_connections - KEPT_BY_AZURE - capacity.kept_for_others
    if capacity.peak_connections <= free:
        return []
    message = (
        f"connections: up to {capacity.peak_connections} would be opened, but only {free} of "
        f"database.max_connections={capacity.max_connections} are left after {KEPT_BY_AZURE} for Azure and "
        f"database.kept_for_others={capacity.kept_for_others}; lower instances or exports_at_once, or raise the "
        "server's limit"
    )
    return [message]


def _memory_problems(name: str, workers: Workers, capacity: Capacity) -> list[str]:
    sizes = FLEX_MEMORY_MB if name == "functions" else CONTAINER_MEMORY_MB
    if workers.memory_mb not in sizes:
        return [f"{name}.memory_mb: Azure offers {', '.join(map(str, sizes))}, not {workers.memory_mb}"]
    needed = capacity.process_memory_mb + workers.exports_at_once * capacity.export_memory_mb
    usable = math.floor(workers.memory_mb * USABLE_MEMORY)
    if needed <= usable:
        return []
    message = (
        f"{name}.memory_mb: {workers.exports_at_once} exports at once need {needed} MB, but only {usable} of "
        f"{workers.memory_mb} are safe to use; lower exports_at_once or take more memory"
    )
    return [message]


def _time_problems(capacity: Capacity) -> list[str]:
    found = []
    if capacity.functions.timeout_minutes > SCALE_IN_GRACE_MINUTES:
        found.append(
            f"functions.timeout_minutes: an instance that is scaled in gets {SCALE_IN_GRACE_MINUTES} minutes, not "
            f"{capacity.functions.timeout_minutes}; run such exports in containers"
        )
    if capacity.containers.timeout_minutes < capacity.functions.timeout_minutes:
        found.append(
            "containers.timeout_minutes: shorter than functions.timeout_minutes; containers are for longer exports"
        )
    if capacity.max_attempts > capacity.max_delivery_count:
        found.append(
            f"delivery.max_attempts={capacity.max_attempts}: the queue gives up after "
            f"max_delivery_count={capacity.max_delivery_count}, and its reason would hide ours; lower max_attempts"
        )
    return found


def _numbers(data: Mapping[str, Any], section: str) -> dict[str, int]:
    values = data.get(section)
    if not isinstance(values, dict):
        raise ValueError(f"capacity.json: {section} is missing")  # noqa: TRY004  # the file is wrong, not a caller
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"capacity.json: {section}.{name} must be a whole number of at least 1, not {value!r}")
    return values
