"""Calls over HTTP, as programs make them."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Http:
    """A server's address, and the headers that every call carries."""

    address: str
    headers: dict[str, str]

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.call("POST", path, data, **headers)

    def call(self, method: str, path: str, data: bytes | None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of the answer, or its text."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"content-type": "application/json", **self.headers, **named}
        request = urllib.request.Request(f"{self.address}{path}", data=data, method=method, headers=sent)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, _content(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _content(error)


def _content(answer: Any) -> Any:
    body = answer.read()
    return json.loads(body) if answer.headers.get_content_type() == "application/json" else body.decode()
