"""A managed identity's token endpoint, as virtual machines (IMDS) and App Service have it, on a free port of 127.0.0.1.

with TokenEndpoint() as endpoint:
    environ = endpoint.imds_environ()  # or endpoint.app_service_environ()
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, override
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

HOST = "127.0.0.1"
IMDS_PATH, APP_SERVICE_PATH = "/metadata/identity/oauth2/token", "/msi/token"
_RESOURCE_ID = "/subscriptions/{0}/resourcegroups/local/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{1}"


@dataclass
class Identity:
    """Who the tokens are for, and how they are given; every field may be changed while the endpoint runs.

    lifetime_s: of a token. issued: called with each token before it is sent. is_down: answer 500. held_back: requests
    wait until it is set.
    """

    name: str = "id-tailrace"
    client_id: str = field(default_factory=lambda: str(uuid4()))
    object_id: str = field(default_factory=lambda: str(uuid4()))
    tenant_id: str = field(default_factory=lambda: str(uuid4()))
    lifetime_s: float = 3600.0
    issued: Callable[[str], object] = lambda _: None
    is_down: bool = False
    held_back: threading.Event | None = None

    def token(self, resource: str) -> tuple[str, int]:
        """A signed JSON Web Token for a resource, and when it ends in seconds since the epoch."""
        expires = int(time.time() + self.lifetime_s)
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(time.time()),
            "nbf": int(time.time()),
            "exp": expires,
            "appid": self.client_id,
            "oid": self.object_id,
            "tid": self.tenant_id,
            "xms_mirid": _RESOURCE_ID.format(uuid4(), self.name),
            "uti": secrets.token_urlsafe(16),  # makes each token another one
        }
        signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = hmac.digest(b"local", signed.encode(), hashlib.sha256)
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}", expires


class TokenEndpoint:
    """A running endpoint; `requests` counts what it was asked."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = identity or Identity()
        self.requests = 0
        self._header = secrets.token_hex(16)
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """http://127.0.0.1:PORT."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def imds_environ(self) -> dict[str, str]:
        """What leads the Azure SDK here as on a virtual machine or a container."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.address}

    def app_service_environ(self) -> dict[str, str]:
        """What leads the Azure SDK here as in Azure Functions."""
        return {"IDENTITY_ENDPOINT": f"{self.address}{APP_SERVICE_PATH}", "IDENTITY_HEADER": self._header}

    def answer(self, path: str, header: Callable[[str], str | None]) -> tuple[int, dict[str, object]]:
        """The status and body for a GET; `header` gives a request header by name."""
        self.requests += 1
        if self.identity.held_back is not None:
            self.identity.held_back.wait(60)
        address = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if self.identity.is_down:
            return 500, {"error": "server_error", "error_description": "the endpoint was asked to fail"}
        if address.path == IMDS_PATH:
            if header("Metadata") != "true":
                return 400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"}
            unknown: dict[str, object] = {"error": "invalid_request", "error_description": "Identity not found"}
        elif address.path == APP_SERVICE_PATH:
            if header("X-IDENTITY-HEADER") != self._header:
                return 401, {"statusCode": 401, "message": "Unauthorized"}
            said = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            unknown = {"statusCode": 400, "message": said}
        else:
            return 404, {"error": "not_found", "error_description": address.path}
        if query.get("client_id", self.identity.client_id) != self.identity.client_id:
            return 400, unknown
        return 200, self._issued(query.get("resource", ""))

    def _issued(self, resource: str) -> dict[str, object]:
        token, expires = self.identity.token(resource)
        self.identity.issued(token)
        lives = str(max(0, expires - int(time.time())))
        ends = {"expires_on": str(expires), "expires_in": lives}
        return {"access_token": token, "resource": resource, "token_type": "Bearer", **ends}

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(endpoint: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            status, body = endpoint.answer(self.path, self.headers.get)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a request holds the identity's header."""

    return Handler


def _encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
