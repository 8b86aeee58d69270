"""Documents of any kind: valid ones with changes, and noise. CHAOS_EXAMPLES is how many inputs each test tries."""

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "300"))
# Bodies that reach the servers are slower than those that do not: a fifth of the examples.
pure = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
served = settings(max_examples=max(60, EXAMPLES // 5), deadline=None, suppress_health_check=list(HealthCheck))
# As many, where each takes longer still.
few = settings(served, max_examples=max(60, EXAMPLES // 50))

VALID: dict[str, Any] = {
    "version": 1,
    "request_id": "00000000-0000-4000-8000-000000000007",
    "job": "j",
    "source": {"kind": "table", "schema": "public", "table": "t", "columns": ["id"]},
    "window": {"type": "integer", "column": "id", "start": 0, "end": 10},
    "blob": "x/1.csv.gz",
    "run": "2026-02-01T00:00:00Z",
    "revision": 1,
    "if_exists": "replace",
    "output": {"compression": "gzip", "header": True, "delimiter": ",", "null": ""},
    "closing": {"by": "delay", "wait_seconds": 5},
}
NASTY = (
    "", "'", '"', '"; drop table t; --', "x'||pg_sleep(9)||'", "\0", "\ud800", "a" * 64, "日本", "%s", "{}", "$1",
    "\\", "../x", "t; select 1", "public.t", "\n", "\r\n", "NaN", "1e999", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00", "2026-13-01",
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(NASTY)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """A valid document with up to three changes anywhere: a value replaced, a key dropped, a key added."""
    document = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        inner = document
        while nested := [key for key, value in inner.items() if isinstance(value, dict) and value]:
            if draw(st.booleans()):
                break
            inner = inner[draw(st.sampled_from(nested))]
        key = draw(st.sampled_from(sorted(inner)) if inner else st.just("x"))
        match draw(st.integers(0, 2)):
            case 0:
                inner[key] = draw(VALUES)
            case 1:
                inner.pop(key, None)
            case _:
                inner[draw(st.text(max_size=12))] = draw(VALUES)
    return document


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


BODIES = (
    changed(VALID).map(dumped)
    | st.binary(max_size=300)
    | VALUES.map(dumped)
    | st.tuples(st.just(dumped(VALID)), st.integers(0, 600), st.binary(min_size=1, max_size=3)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
)
