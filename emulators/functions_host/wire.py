"""What host and worker say to each other; plain data, pickled over a socket pair between the two processes."""

import datetime as dt
import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Typed:
    """One value as the Functions protocol carries it: a kind and its content; without a kind it is null."""

    kind: Literal["string", "bytes", "json", "http"] | None = None
    content: object = None


def typed(value: object) -> Typed:
    """Choose the kind the real host chooses: text and bytes as they are, everything else as JSON.

    >>> typed("a"), typed(3)
    (Typed(kind='string', content='a'), Typed(kind='json', content='3'))
    """
    match value:
        case None:
            return Typed()
        case str():
            return Typed("string", value)
        case bytes():
            return Typed("bytes", value)
        case dt.datetime():
            return Typed("json", json.dumps(value.isoformat()))
        case _:
            return Typed("json", json.dumps(value, default=str))


@dataclass(frozen=True)
class HttpCall:
    """An HTTP request for a function; the body is bytes, or null if there is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    params: Mapping[str, str]
    body: Typed


@dataclass(frozen=True)
class HttpReply:
    """What an HTTP function answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Invocation:
    """One call of one function: the trigger's value, and what is known about it."""

    function_id: str
    parameter: str
    value: Typed
    metadata: Mapping[str, Typed] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended; no error means success. `worker_lost` marks the end of the process, not of the call.

    outputs: what the function set or returned, by the name of the parameter; its return value is `$return`.
    """

    invocation_id: str
    error: str | None = None
    trace: str | None = None
    reply: HttpReply | None = None
    outputs: Mapping[str, Typed] = field(default_factory=dict)
    worker_lost: bool = False


@dataclass(frozen=True)
class IndexedFunction:
    """A function as the worker library indexed it; bindings are the objects of function.json."""

    name: str
    id: str
    bindings: tuple[Mapping[str, object], ...]


@dataclass(frozen=True)
class Loaded:
    """The worker's first message: what the app offers, and how many synchronous calls it runs at once."""

    functions: tuple[IndexedFunction, ...]
    library: str
    threads: int


@dataclass(frozen=True)
class LoadFailed:
    """The worker's first and last message when the app cannot be imported or indexed."""

    error: str
    trace: str

    def place(self, app: Path) -> str:
        """Name the last line of the app's own code in the trace, if there is one.

        >>> LoadFailed("", 'File "/a/function_app.py", line 7, in x').place(Path("/a"))
        ' (function_app.py, line 7)'
        """
        own = re.escape(f"{app}{os.sep}")
        found = re.findall(rf'File "{own}((?!\.venv).+?)", line (\d+)', self.trace)
        return f" ({found[-1][0]}, line {found[-1][1]})" if found else ""
