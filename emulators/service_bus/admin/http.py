"""Requests and answers, without a socket."""

from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Request:
    """path: unquoted segments. query: the last value of each name. base: scheme and host, as the client wrote them."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    changes: bool = False  # the client insists on changing what is there (If-Match)
    base: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: HTTPStatus
    body: str = ""
    media_type: str = "application/json"
