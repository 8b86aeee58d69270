import json
from typing import Any


def test_a_request_reaches_its_function_with_route_query_header_and_body(web_host: Any) -> None:
    answer = web_host.request("/api/echo/north/7?depth=3&empty=", "POST", b"hello", **{"X-Sent": "a"})
    assert (answer.status, answer.headers["X-Seen"]) == (201, "yes")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "url": f"{web_host.url}/api/echo/north/7?depth=3&empty=",
        "params": {"depth": "3"},  # the host of Azure leaves out what has no value
        "route": {"place": "north", "number": "7"},
        "header": "a",
        "body": "hello",
    }


def test_a_path_or_method_without_a_function_is_not_found(web_host: Any) -> None:
    assert web_host.request("/api/echo/north").status == 201
    assert web_host.request("/api/echo/north/first").status == 404
    assert web_host.request("/api/echo/north", "DELETE").status == 404
    assert web_host.request("/echo/north").status == 404


def test_text_is_answered_as_text_and_no_content_without_a_body(web_host: Any) -> None:
    text = web_host.request("/api/process")
    assert (text.status, text.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    empty = web_host.request("/api/log", "POST", b"x")
    assert (empty.status, empty.body) == (204, b"")


def test_a_failing_function_is_answered_with_500_and_logged_with_its_error(web_host: Any) -> None:
    answer = web_host.request("/api/fail")
    assert (answer.status, answer.body) == (500, b"")
    line = web_host.wait_for_log("function.failed function=fail")
    assert 'error="ValueError: this function always fails"' in line
    assert "duration_ms=" in line


def test_the_apps_own_log_lines_show_with_their_invocation(web_host: Any) -> None:
    web_host.request("/api/log", "POST", b"seen once")
    line = web_host.wait_for_log("seen once")
    assert "warning app.log logger=app" in line
    assert "invocation=" in line


def test_the_app_runs_alone_in_its_folder_on_the_main_thread_of_a_process_of_its_own(web_host: Any) -> None:
    seen = web_host.request("/api/process").json()
    assert seen["host_pid"] == web_host.process.pid
    assert seen["folder"].endswith("tests/integration/emulators/functions_host/app")
    assert seen["imported_on"] == "MainThread"
    assert seen["argv"][1::2] == ["--host", "--port", "--functions-grpc-max-message-length"]


def test_the_functions_are_listed(web_host: Any) -> None:
    listed = {function["name"]: function for function in web_host.request("/admin/functions").json()}
    assert set(listed) == {"echo", "process", "log", "fail", "end_process", "tick", "at_start"}
    assert listed["echo"]["invoke_url_template"] == "/api/echo/{place}/{number:int?}"
    assert json.loads(json.dumps(listed["tick"]["config"]))["bindings"][0]["schedule"] == "%TICK%"


def test_the_worker_is_replaced_when_a_function_ends_its_process(web_host: Any) -> None:
    before = web_host.request("/api/process").json()["pid"]
    assert web_host.request("/api/end_process", "POST").status == 500
    assert web_host.request("/api/process").json()["pid"] != before
    assert "status=7" in web_host.wait_for_log("worker.ended")
