"""Checks host.json: a lock must outlive the function, and every call needs a thread."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from doctor.finding import Check, Finding, failed, ok, skipped, warning
from doctor.site import Site
from worker.native.library import why_not
from worker.native.targets import this_machine

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_WRITE = "python -m deploy.capacity --write"
# The host's defaults.
_DEFAULT_RENEWAL = "00:05:00"


def host_json_fits(site: Site) -> Iterator[Finding]:
    """Values of host.json that would lose locks or make calls wait."""
    file = site.root / "host.json"
    try:
        host = json.loads(file.read_text("utf-8"))
        service_bus = host.get("extensions", {}).get("serviceBus", {})
    except FileNotFoundError:
        yield skipped("host.json", "there is none here: no function app")
        return
    except (ValueError, AttributeError) as error:
        yield failed("host.json", f"it cannot be read: {error}", "git checkout host.json")
        return
    problems = [*_locks(host, service_bus), *_calls(site, service_bus)]
    says = f"time-out {host.get('functionTimeout')}, {service_bus.get('maxConcurrentCalls')} exports at once"
    yield from problems or [ok("host.json", says)]


def rows_are_read_in_c(_: Site) -> Iterator[Finding]:
    """Whether exports have the compiled library; without it they are correct, but slower."""
    if (reason := why_not()) is None:
        yield ok("reading rows", f"by the compiled library for {this_machine()}")
    else:
        says = f"in Python: more CPU, larger files, and no Parquet: {reason}"
        yield warning("reading rows", says, f"python -m worker.native.build {this_machine()}, then deploy")


def _locks(host: dict[str, Any], service_bus: dict[str, Any]) -> Iterator[Finding]:
    written, renewed = host.get("functionTimeout"), service_bus.get("maxAutoLockRenewalDuration", _DEFAULT_RENEWAL)
    timeout, renewal = span(written), span(renewed)
    if written in (None, "-1"):
        says = "no functionTimeout: the plan's own ends an export at a time that no lock is made for"
        yield warning("functionTimeout", says, _WRITE)
    elif timeout is None:
        yield failed("functionTimeout", f"{written!r} is no time span such as 00:30:00", _WRITE)
    elif renewal is None:
        yield failed("maxAutoLockRenewalDuration", f"{renewed!r} is no time span such as 00:35:00", _WRITE)
    elif renewal < timeout:
        says = f"locks are renewed for {renewed}, exports may run {written}: a long one would run twice"
        yield failed("maxAutoLockRenewalDuration", says, _WRITE)
    if service_bus.get("autoCompleteMessages") is False:
        says = "a message that was exported would come again: the host must complete it"
        yield failed("autoCompleteMessages", says, 'set "autoCompleteMessages": true')
    if service_bus.get("prefetchCount", 0) > 0:
        says = "locks of prefetched messages run out while they wait"
        yield warning("prefetchCount", says, 'set "prefetchCount": 0')


def _calls(site: Site, service_bus: dict[str, Any]) -> Iterator[Finding]:
    calls = service_bus.get("maxConcurrentCalls")
    if not isinstance(calls, int):
        yield warning("maxConcurrentCalls", "not set: 16 for each core, far more than there are threads", _WRITE)
        return
    set_to = site.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    threads = int(set_to) if set_to.isdecimal() else min(32, (os.process_cpu_count() or 1) + 4)
    if calls > threads:
        says = f"{calls} calls for {threads} threads: the rest waits inside the worker while lock and time-out run"
        yield failed("maxConcurrentCalls", says, f"set PYTHON_THREADPOOL_THREAD_COUNT={calls + 2}, or {_WRITE}")
    pool = site.environ.get("TAILRACE_POOL_SIZE", "")
    if pool.isdecimal() and calls > int(pool):
        says = f"{calls} exports at once, but TAILRACE_POOL_SIZE is {pool}: the rest waits for a connection"
        yield warning("TAILRACE_POOL_SIZE", says, f"set TAILRACE_POOL_SIZE={2 * calls}")


def span(value: object) -> timedelta | None:
    """A time span as host.json writes it, None if it is invalid.

    >>> span("1.02:00:00") == timedelta(hours=26), span("30 minutes")
    (True, None)
    """
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


CHECKS = (Check("host.json", host_json_fits), Check("reading rows", rows_are_read_in_c))
