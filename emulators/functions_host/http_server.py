"""HTTP triggers and the admin endpoints, on 127.0.0.1; authLevel is not checked, as in Core Tools.

Bodies are whole (no chunked requests), and cookies of an HttpResponse are not passed on.
"""

import json
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override
from urllib.parse import parse_qsl, unquote, urlsplit

from emulators.functions_host.app import HTTP, Function
from emulators.functions_host.app_settings import HostError
from emulators.functions_host.calls import Calls
from emulators.functions_host.journal import event
from emulators.functions_host.routes import Route, find, unknown_constraint
from emulators.functions_host.timer import TimerTrigger
from emulators.functions_host.wire import HttpCall, HttpReply, Invocation, Typed, typed

ADMIN = ["admin", "functions"]


class Site:
    """What is served: HTTP functions under the route prefix, and the list and the manual firing of functions."""

    def __init__(self, functions: list[Function], timers: list[TimerTrigger], calls: Calls, prefix: str) -> None:
        self._functions = {function.name: function for function in functions}
        self._timers = {timer.function.name: timer for timer in timers}
        self._calls = calls
        self._prefix = prefix
        self._routes = [_route(function, prefix) for function in functions if function.kind == HTTP]

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """Answer one request."""
        parts = urlsplit(target)
        segments = [unquote(segment) for segment in parts.path.split("/") if segment]
        if [segment.lower() for segment in segments[:2]] == ADMIN:
            return self._admin(method, segments[2:])
        found = find(self._routes, method, segments)
        if found is None:
            return _plain(HTTPStatus.NOT_FOUND)
        route, parameters = found
        value = Typed("bytes", body) if body else Typed()
        url = f"http://{headers.get('host', '127.0.0.1')}{target}"
        return self._call(route.function, HttpCall(method, url, headers, query_of(parts.query), parameters, value))

    def _call(self, name: str, call: HttpCall) -> HttpReply:
        function = self._functions[name]
        known = {"Query": typed(call.query), "Headers": typed(call.headers)}
        metadata = known | {key: typed(value) for key, value in call.params.items()}
        invocation = Invocation(function.id, function.parameter, Typed("http", call), metadata)
        outcome = self._calls.invoke(name, invocation, method=call.method, url=call.url).result()
        if outcome.error is not None:
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        return outcome.reply or _plain(HTTPStatus.NO_CONTENT)

    def _admin(self, method: str, rest: list[str]) -> HttpReply:
        match method, rest:
            case "GET", []:
                return _json(HTTPStatus.OK, [self._described(function) for function in self._functions.values()])
            case "POST", [name] if name in self._timers:
                self._timers[name].fire("admin request")
                return _plain(HTTPStatus.ACCEPTED)
            case "POST", [name] if name in self._functions:
                return _json(HTTPStatus.BAD_REQUEST, {"error": f"{name} has no timer. Send it a message or a request."})
            case _:
                return _plain(HTTPStatus.NOT_FOUND)

    def _described(self, function: Function) -> dict[str, object]:
        url = "/" + _template(function, self._prefix) if function.kind == HTTP else None
        config = {"bindings": list(function.bindings)}
        return {"name": function.name, "language": "python", "config": config, "invoke_url_template": url}


def query_of(text: str) -> dict[str, str]:
    """Give the query as the real host passes it: repeated names are joined, names without a value are left out.

    >>> query_of("a=1&a=2&b=&c=x%20y")
    {'a': '1,2', 'c': 'x y'}
    """
    query: dict[str, str] = {}
    for name, value in parse_qsl(text):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "HttpServer"

    def _serve(self) -> None:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(_plain(HTTPStatus.LENGTH_REQUIRED))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): ",".join(self.headers.get_all(name) or ()) for name in self.headers}
        site = self.server.site
        self._send(_plain(HTTPStatus.SERVICE_UNAVAILABLE) if site is None else self._answer(site, headers, body))

    def _answer(self, site: Site, headers: Mapping[str, str], body: bytes) -> HttpReply:
        return site.answer(self.command, self.path, headers, body)

    def _send(self, reply: HttpReply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Leave requests out of the log: the start and the end of the function are there."""


class HttpServer(ThreadingHTTPServer):
    """Listens from the start, so that a taken port is known at once; answers 503 until there is a site."""

    daemon_threads = True
    site: Site | None = None

    def __init__(self, port: int) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise HostError(f"Port {port} cannot be used: {error.strerror}. Give another, or --port 0.") from error
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True, name="http").start()

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Log a request that broke off, or that is not HTTP, in one line."""
        event("warning", "http.broken", error=repr(sys.exception()))


def _route(function: Function, prefix: str) -> Route:
    methods = function.trigger.get("methods")
    template = _template(function, prefix)
    if constraint := unknown_constraint(template):
        raise HostError(f"The route of {function.name} has the constraint {constraint}, which this host does not know.")
    named = [str(method).upper() for method in methods] if isinstance(methods, list) else []
    return Route(function.name, template, frozenset(named))


def _template(function: Function, prefix: str) -> str:
    return f"{prefix}/{function.text('route', function.name)}".strip("/")


def _plain(status: HTTPStatus) -> HttpReply:
    return HttpReply(status, {}, b"")


def _json(status: HTTPStatus, document: object) -> HttpReply:
    return HttpReply(status, {"Content-Type": "application/json"}, json.dumps(document).encode())
