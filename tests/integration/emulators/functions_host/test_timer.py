from typing import Any


def test_a_timer_fires_at_its_times(hosts: Any) -> None:
    host = hosts.start("--only", "tick", settings={"TICK": "* * * * * *"})
    first, second = host.wait_for_records("tick", 2)[:2]
    assert [first["past_due"], second["past_due"]] == [False, False]
    assert first["status"]["Last"].startswith("0001-01-01")
    assert second["status"]["Last"] > first["status"]["Last"]


def test_a_timer_is_fired_by_an_admin_request(web_host: Any) -> None:
    before = len(web_host.records("tick"))
    answer = web_host.request("/admin/functions/tick", "POST", b'{"input": ""}', **{"Content-Type": "application/json"})
    assert answer.status == 202
    assert web_host.wait_for_records("tick", before + 1)


def test_an_admin_request_for_anything_but_a_timer_says_what_to_do(web_host: Any) -> None:
    answer = web_host.request("/admin/functions/echo", "POST", b"{}")
    assert (answer.status, answer.json()) == (400, {"error": "echo has no timer. Send it a message or a request."})
    assert web_host.request("/admin/functions/absent", "POST", b"{}").status == 404


def test_run_on_startup_fires_once_at_the_start(web_host: Any) -> None:
    assert len(web_host.wait_for_records("at_start")) == 1
