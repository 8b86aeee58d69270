"""Who may call, over real connections."""

import urllib.request

import pytest
from azure.storage.blob import ContainerClient
from starlette.datastructures import Headers
from support.http import Http

from contracts.errors import ConfigurationError
from settings import Settings
from web.api.guard import Call, with_function_key
from web.server import listening, serving


@pytest.fixture(autouse=True)
def _there(container: ContainerClient) -> None:
    assert container.exists()


def test_without_the_key_nothing_is_shown_and_nothing_is_done(http: Http) -> None:
    stranger = Http(http.address, {})
    for status, answer in (
        stranger.get("/api/status"),
        stranger.get("/api/openapi.json"),
        stranger.get("/api/status", x_functions_key="wrong"),
        stranger.post("/api/exports?job=again"),
    ):
        assert (status, answer["error"]) == (401, "the key of this server is missing or wrong")
    key = http.headers["x-functions-key"]
    assert stranger.get(f"/api/status?code={key}")[0] == 200


def test_the_page_loads_without_a_key_and_may_run_nothing_but_itself(http: Http) -> None:
    with urllib.request.urlopen(f"{http.address}/api/ui", timeout=10) as answer:  # noqa: S310
        policy, page = answer.headers["content-security-policy"], answer.read().decode()
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert http.headers["x-functions-key"] not in page


@pytest.mark.parametrize(
    "headers", [{"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}]
)
def test_another_site_cannot_call_even_with_the_key(http: Http, headers: dict[str, str]) -> None:
    status, answer = http.post("/api/exports?job=again", None, **headers)
    assert (status, answer["error"]) == (403, "another site may not call this one")


def test_a_name_that_was_made_to_lead_here_is_refused(http: Http) -> None:
    assert http.get("/api/status", host="evil.example")[0] == 421


def test_a_huge_body_is_refused_before_it_is_read_as_json(http: Http) -> None:
    status, answer = http.post("/api/backfills", b"x" * 300_000)
    assert (status, answer["error"]) == (413, "the body is larger than 256 KB")


def test_more_orders_than_a_person_gives_have_to_wait(http: Http) -> None:
    found = {http.post("/api/replay", {})[0] for _ in range(60)}
    assert found == {400, 429}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/nothing", 404), ("PUT", "/api/status", 405)])
def test_an_unknown_call_is_answered_with_where_calls_are_listed(
    http: Http, method: str, path: str, status: int
) -> None:
    answer = http.call(method, path, b"" if method == "PUT" else None)
    assert answer[0] == status
    assert answer[1]["advice"] == "/api/openapi.json lists all calls"


@pytest.mark.parametrize(
    ("environ", "who"),
    [
        ({}, "function key"),
        ({"WEBSITE_AUTH_ENABLED": "False"}, "function key"),
        ({"WEBSITE_AUTH_ENABLED": "True"}, "ann"),
    ],
)
def test_a_person_is_named_only_where_app_service_signs_people_in(environ: dict[str, str], who: str) -> None:
    call = Call("POST", Headers({"x-ms-client-principal-name": "ann"}), "")
    assert with_function_key(environ)(call) == who


def test_a_taken_port_is_one_line(settings: Settings) -> None:
    with serving(settings, "tester") as running:
        port = int(running.address.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 cannot be used: Address already"):
            listening(settings, "tester", port=port)
