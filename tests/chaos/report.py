"""What a run says at the end, for a terminal of 80 columns."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from chaos.run import Result

_WIDTH = 80


def lines_of(result: Result) -> Iterator[str]:
    """The whole report."""
    options = result.options
    hosts = f"{options.workers} workers" + (" and a Functions host" if options.host else "")
    yield f"{options.requests} requests, {len(result.injected)} faults, {hosts}, seed {options.seed}, {options.mode}"
    yield ""
    yield f"{'fault':<38}{'times':>7}{'next blob after, s: median':>28}{'worst':>7}"
    counts = Counter(one.kind for one in result.injected)
    for kind, count in sorted(counts.items()):
        times = result.recoveries.get(kind, [])
        numbers = f"{median(times):>28.1f}{max(times):>7.1f}" if times else f"{'-':>28}{'-':>7}"
        yield f"{kind:<38}{count:>7}{numbers}"
    for one in result.injected:
        if one.error:
            yield _cut(f"fault {one.number} ({one.kind}) was not injected: {one.error}")
    yield ""
    yield from _outcome(result)


def _outcome(result: Result) -> Iterator[str]:
    yield f"{result.blobs} blobs, {result.dead} dead letters, {result.commits} commits"
    yield f"{result.uncommitted} names with staged blocks only, which vanish after a week"
    if result.settled_s is not None:
        yield f"all was there {result.settled_s:g} s after the last fault"
    grown = sorted(result.growth_mb.items(), key=lambda one: -one[1])
    worst = f"{grown[0][1]:+.1f} MB at most ({grown[0][0]}, of {len(grown)})" if grown else "too few samples"
    yield f"memory of a worker since a third of its life: {worst}"
    yield f"{result.seconds:.0f} s in all"
    yield ""
    if not result.findings:
        yield "found: nothing"
        return
    yield f"found: {len(result.findings)}"
    for finding in result.findings[:40]:
        yield f"  {finding.kind}: {finding.subject}"[:_WIDTH]
        yield from (f"    {finding.says[begin : begin + 76]}" for begin in range(0, len(finding.says), 76))
    given = result.options
    host = " HOST=1" if given.host else ""
    yield f"replay: make chaos N={given.requests} FAULTS={given.faults} SEED={given.seed} MODE={given.mode}{host}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
