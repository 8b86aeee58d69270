"""The API and the page in the function app, by Azure's own worker library."""

import urllib.request

import pytest
from support.hosts import Hosts
from support.http import Http


@pytest.fixture
def app(hosts: Hosts) -> Http:
    host = hosts.functions("--only", "page,api,submit")
    assert host.match is not None
    return Http(host.match[1], {})


def test_the_function_app_serves_the_page_and_every_call(app: Http) -> None:
    with urllib.request.urlopen(f"{app.address}/api/ui", timeout=60) as answer:  # noqa: S310
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "<title>Tailrace</title>" in answer.read().decode()
    status, summary = app.get("/api/status")
    assert (status, [job["job"] for job in summary["jobs"]]) == (200, ["clicks", "j", "missing"])
    status, done = app.post("/api/exports?job=j")
    assert (status, done["status"]) == (202, "sent")
    assert app.get("/api/nothing")[0] == 404
    assert app.get("/api/openapi.json")[1]["info"]["title"] == "Tailrace"


def test_with_sign_in_a_call_needs_a_person_and_an_order_a_header_too(hosts: Hosts) -> None:
    host = hosts.functions("--only", "page,api,submit", TAILRACE_HTTP_AUTH="entra", WEBSITE_AUTH_ENABLED="True")
    assert host.match is not None
    app, ann = Http(host.match[1], {}), {"x_ms_client_principal_name": "ann@example.com"}
    assert app.get("/api/status")[0] == 401
    assert app.get("/api/status", **ann)[0] == 200
    assert app.post("/api/exports?job=j", None, **ann) == (
        403, {"error": "the header X-Tailrace is missing", "advice": "send it, with any value"},
    )  # fmt: skip
    assert app.post("/api/exports?job=j", None, **ann, x_tailrace="1")[0] == 202
    assert "operator action action=export by=ann@example.com" in host.output()


def test_without_sign_in_nobody_is_whom_a_header_names(hosts: Hosts) -> None:
    host = hosts.functions("--only", "page,api,submit", TAILRACE_HTTP_AUTH="entra")
    assert host.match is not None
    app = Http(host.match[1], {})
    status, answer = app.get("/api/status", x_ms_client_principal_name="ann@example.com")
    assert (status, answer["error"]) == (401, "nobody can be signed in")
