"""deploy/capacity.json: the values derived from it, and its limits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.capacity import bicep_values, main, with_host_values
from deploy.limits import Capacity, problems

type Change = Callable[[dict[str, Any]], None]

# Numbers that fit, whatever the project's own are.
EXAMPLE = {
    "export": {"connections": 1, "memory_mb": 120, "process_memory_mb": 400},
    "functions": {"instances": 4, "exports_at_once": 2, "memory_mb": 2048, "timeout_minutes": 30},
    "containers": {"instances": 4, "exports_at_once": 2, "memory_mb": 2048, "timeout_minutes": 720},
    "database": {"max_connections": 100, "kept_for_others": 50},
    "delivery": {"max_attempts": 5, "max_delivery_count": 10},
}


@pytest.fixture
def data() -> dict[str, Any]:
    return {name: dict(values) for name, values in EXAMPLE.items()}


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A folder with what `python -m deploy.capacity` reads and writes, up to date."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(root / "host.json", tmp_path / "host.json")
    (tmp_path / "deploy" / "capacity.json").write_text(json.dumps(EXAMPLE, indent=2), "utf-8")
    (tmp_path / "deploy" / "capacity.values.json").write_text("{}", "utf-8")
    assert main(["--write", "--root", str(tmp_path)]) == 0
    return tmp_path


def _changed(data: dict[str, Any], **sections: dict[str, int]) -> Capacity:
    return Capacity.of({name: {**values, **sections.get(name, {})} for name, values in data.items()})


def test_the_project_s_own_numbers_fit_and_its_files_are_up_to_date(root: Path) -> None:
    assert main(["--check", "--root", str(root)]) == 0


def test_more_connections_than_the_server_has_are_refused(data: dict[str, Any]) -> None:
    capacity = _changed(data, functions={"instances": 40})
    assert capacity.peak_connections == 40 * 2 * 2
    [problem] = problems(capacity)
    assert "up to 160 would be opened, but only 35" in problem


def test_connections_of_containers_count_as_well(data: dict[str, Any]) -> None:
    [problem] = problems(_changed(data, containers={"instances": 9}))
    assert problem.startswith("connections: up to 36")


def test_connections_may_take_all_that_is_left_and_not_one_more(data: dict[str, Any]) -> None:
    fits = _changed(data, database={"max_connections": 81})
    assert fits.peak_connections == 16
    assert not problems(fits)
    assert problems(_changed(data, database={"max_connections": 80}))


def test_more_exports_than_memory_holds_are_refused(data: dict[str, Any]) -> None:
    [problem] = problems(_changed(data, functions={"memory_mb": 512, "instances": 1}))
    assert problem.startswith("functions.memory_mb: 2 exports at once need 640 MB, but only 384 of 512")


def test_a_memory_size_that_azure_does_not_offer_is_refused(data: dict[str, Any]) -> None:
    [problem] = problems(_changed(data, functions={"memory_mb": 3072}))
    assert "512, 2048, 4096, not 3072" in problem


def test_a_function_may_not_outlive_the_grace_of_scale_in(data: dict[str, Any]) -> None:
    [problem] = problems(_changed(data, functions={"timeout_minutes": 61}))
    assert "run such exports in containers" in problem


def test_containers_may_not_be_given_less_time_than_functions(data: dict[str, Any]) -> None:
    assert len(problems(_changed(data, containers={"timeout_minutes": 29}))) == 1


def test_attempts_may_not_outnumber_deliveries(data: dict[str, Any]) -> None:
    [problem] = problems(_changed(data, delivery={"max_attempts": 11}))
    assert problem.startswith("delivery.max_attempts=11")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("functions"), "functions is missing"),
        (lambda data: data["functions"].pop("instances"), "missing or unknown"),
        (lambda data: data["functions"].update(colour=1), "missing or unknown"),
        (lambda data: data["database"].pop("max_connections"), "max_connections"),
        (lambda data: data["functions"].update(instances=0), "functions.instances must be a whole number"),
        (lambda data: data["functions"].update(instances="4"), "not '4'"),
        (lambda data: data["functions"].update(instances=True), "not True"),
    ],
)
def test_a_bad_entry_is_named(data: dict[str, Any], change: Change, message: str) -> None:
    change(data)
    with pytest.raises(ValueError, match=r"^capacity\.json: ") as caught:
        Capacity.of(data)
    assert message in str(caught.value)


def test_the_pool_has_its_connections_for_every_export_and_the_threads_are_never_fewer_than_the_calls(
    data: dict[str, Any],
) -> None:
    values = bicep_values(_changed(data, functions={"exports_at_once": 3}, export={"connections": 2}))
    assert values["functions"]["poolSize"] == 6
    assert values["functions"]["threads"] >= values["functions"]["concurrency"] == 3


def test_the_lock_outlives_the_function(data: dict[str, Any]) -> None:
    host = with_host_values({"extensions": {"serviceBus": {}}}, _changed(data, functions={"timeout_minutes": 60}))
    assert host["functionTimeout"] == "01:00:00"
    assert host["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"] == "01:05:00"


def test_host_values_leave_everything_else_alone(data: dict[str, Any]) -> None:
    host = {"version": "2.0", "extensions": {"http": {"routePrefix": "x"}, "serviceBus": {"prefetchCount": 7}}}
    changed = with_host_values(host, Capacity.of(data))
    assert changed["version"] == "2.0"
    assert changed["extensions"]["http"] == {"routePrefix": "x"}
    assert changed["extensions"]["serviceBus"]["prefetchCount"] == 7


def test_a_hand_changed_host_json_is_found_and_fixed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = copy / "host.json"
    host.write_text(host.read_text("utf-8").replace('"maxConcurrentCalls": 2', '"maxConcurrentCalls": 16'), "utf-8")
    assert main(["--check", "--root", str(copy)]) == 1
    assert "host.json extensions.serviceBus.maxConcurrentCalls is 16" in capsys.readouterr().err
    assert main(["--write", "--root", str(copy)]) == 0
    assert main(["--check", "--root", str(copy)]) == 0


def test_outdated_bicep_values_are_found_and_fixed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = copy / "deploy" / "capacity.json"
    source.write_text(source.read_text("utf-8").replace('"instances": 4', '"instances": 3', 1), "utf-8")
    assert main(["--check", "--root", str(copy)]) == 1
    assert "capacity.values.json functions.maximumInstanceCount is 4" in capsys.readouterr().err
    assert main(["--write", "--root", str(copy)]) == 0
    assert main(["--check", "--root", str(copy)]) == 0


def test_what_does_not_fit_is_not_written(copy: Path) -> None:
    source, host = copy / "deploy" / "capacity.json", copy / "host.json"
    before = host.read_text("utf-8")
    source.write_text(source.read_text("utf-8").replace('"timeout_minutes": 30', '"timeout_minutes": 90'), "utf-8")
    assert main(["--write", "--root", str(copy)]) == 1
    assert host.read_text("utf-8") == before


def test_a_file_that_is_no_json_is_an_error_and_no_traceback(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "deploy" / "capacity.json").write_text("{", "utf-8")
    assert main(["--check", "--root", str(copy)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
