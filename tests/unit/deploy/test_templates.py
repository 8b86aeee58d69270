"""The templates of this project: whole, safe, and in step with the app, the local broker and the capacity."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pycep
import pytest

from deploy.template.__main__ import main
from deploy.template.rules import breaches, read_templates, roles_used, value_of, wrong_parameters_file
from deploy.template.safety import dangers
from deploy.template.syntax import Declaration, Template, accesses, literal, properties, text

type Templates = Mapping[str, Template]

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# The metrics that the app sends; alerts and the workbook may name no other.
METRICS = {
    *("tailrace.exports", "tailrace.rows", "tailrace.bytes", "tailrace.seconds", "tailrace.retries"),
    *("tailrace.dead_letters", "tailrace.queue_age_seconds", "tailrace.window_lag_seconds"),
    *("tailrace.audit_drift", "tailrace.drill_failures"),
}
# What a function is called in Azure, and the file that it is written in.
FUNCTIONS = {
    "schedule_exports": "producer/functions.py",
    "submit": "web/functions.py",
    "export": "worker/functions.py",
    "audit_exports": "operations/functions.py",
}


@pytest.fixture(scope="module")
def roles(root: Path) -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads((root / "deploy" / "roles.json").read_text("utf-8"))
    return content


@pytest.fixture(scope="module")
def queue(templates: Templates) -> Declaration:
    return templates["messaging.bicep"].resources["queue"]


@pytest.fixture(scope="module")
def local_queue(root: Path) -> dict[str, Any]:
    """The queue as the local broker makes it."""
    config = json.loads((root / "emulators" / "service_bus" / "default_config.json").read_text("utf-8"))
    [found] = config["UserConfig"]["Namespaces"][0]["Queues"]
    return dict(found)


def test_every_rule_is_followed(root: Path, templates: Templates) -> None:
    found = read_templates(root / "deploy")
    assert len(found) == len(templates)
    assert breaches(found) == []
    assert dangers(found) == []
    assert main() == 0


def test_a_second_grammar_understands_every_template(templates: Templates) -> None:
    parser = pycep.BicepParser()
    for template in templates.values():
        assert set(parser.parse(text=template.path.read_text("utf-8"))) >= {"parameters"}


def test_every_template_is_used(templates: Templates) -> None:
    called = {Path(module.target).name for module in templates["main.bicep"].modules.values()}
    assert called == templates.keys() - {"main.bicep"}


def test_the_parameters_file_fits_main(root: Path, templates: Templates) -> None:
    content = json.loads((root / "deploy" / "main.parameters.json").read_text("utf-8"))
    assert list(wrong_parameters_file(templates["main.bicep"], content)) == []


def test_the_parameters_file_repeats_the_defaults_of_main(root: Path, templates: Templates) -> None:
    given = json.loads((root / "deploy" / "main.parameters.json").read_text("utf-8"))["parameters"]
    for name, parameter in templates["main.bicep"].parameters.items():
        match = re.fullmatch(r"\$\{(AZURE|TAILRACE)_[A-Z_]+(=(?P<default>.+))?\}", given[name]["value"])
        assert match, given[name]
        if not parameter.required:
            default = literal(parameter.node.named_children[-1])
            assert (match["default"] or "") == (str(default).lower() if isinstance(default, bool) else str(default))


def test_every_listed_role_is_assigned_and_has_a_reason(root: Path, roles: dict[str, dict[str, str]]) -> None:
    assert roles_used(read_templates(root / "deploy")) == roles.keys()
    assert all(UUID.match(role["id"]) and len(role["why"]) > 20 for role in roles.values())
    assert len({role["id"] for role in roles.values()}) == len(roles)


def test_the_identity_of_the_app_has_no_role_on_a_whole_account_of_exports_or_namespace(templates: Templates) -> None:
    access = templates["access.bicep"].resources
    scopes = {name: text(resource.body["scope"]) for name, resource in access.items() if "scope" in resource.body}
    kinds = {access[scope].target.partition("@")[0] for scope in scopes.values()}
    assert "Microsoft.ServiceBus/namespaces" not in kinds
    on_accounts = [
        name for name, scope in scopes.items() if access[scope].target.startswith("Microsoft.Storage/storageAccounts@")
    ]
    assert sorted(on_accounts) == ["hostBlobs", "hostTables"]


def test_the_queue_is_the_one_that_the_local_broker_has(queue: Declaration, local_queue: dict[str, Any]) -> None:
    local = {f"{key[0].lower()}{key[1:]}": value for key, value in local_queue["Properties"].items() if value}
    ours = {name: literal(node) for name, node in properties(queue.body["properties"]).items()}
    # Longer in Azure, where a lock is lost by a slow network rather than by a test.
    assert (ours.pop("lockDuration"), local.pop("lockDuration")) == ("PT5M", "PT1M")
    assert ours.pop("maxDeliveryCount") is None
    local.pop("maxDeliveryCount")
    assert ours == local


def test_the_delivery_count_of_the_queue_comes_from_the_capacity(
    root: Path, queue: Declaration, templates: Templates, local_queue: dict[str, Any]
) -> None:
    values = json.loads((root / "deploy" / "capacity.values.json").read_text("utf-8"))
    given = properties(templates["main.bicep"].modules["messaging"].body["params"])["maxDeliveryCount"]
    assert text(properties(queue.body["properties"])["maxDeliveryCount"]) == "maxDeliveryCount"
    assert text(given) == "capacity.delivery.maxDeliveryCount"
    assert values["delivery"]["maxDeliveryCount"] == local_queue["Properties"]["MaxDeliveryCount"]


@pytest.mark.parametrize(("file", "section"), [("functions.bicep", "functions"), ("worker_job.bicep", "containers")])
def test_a_worker_gets_its_part_of_the_capacity_and_uses_all_of_it(
    root: Path, templates: Templates, file: str, section: str
) -> None:
    values = json.loads((root / "deploy" / "capacity.values.json").read_text("utf-8"))
    used = {names[1] for _, names in accesses(templates[file].root) if names[0] == "capacity" and len(names) > 1}
    [call] = [module for module in templates["main.bicep"].modules.values() if module.target.endswith(f"/{file}")]
    assert text(properties(call.body["params"])["capacity"]) == f"capacity.{section}"
    assert used == values[section].keys()


def test_the_runtime_is_the_python_of_the_project(root: Path, templates: Templates) -> None:
    version = (root / ".python-version").read_text("utf-8").strip()
    functions = templates["functions.bicep"]
    runtime = properties(properties(functions.variables["flexConfig"])["runtime"])
    assert literal(runtime["version"]) == version
    assert literal(properties(functions.variables["premiumSite"])["linuxFxVersion"]) == f"Python|{version}"


def test_exports_and_the_host_use_separate_accounts(templates: Templates) -> None:
    exports, host = (templates[name].resources["account"] for name in ("export_storage.bicep", "host_storage.bicep"))
    assert value_of(exports, "properties.isHnsEnabled") is True
    assert value_of(host, "properties.isHnsEnabled") is None


def test_alerts_and_workbook_name_only_metrics_that_are_sent(root: Path, templates: Templates) -> None:
    alerts, workbook = text(templates["alerts.bicep"].root), (root / "deploy" / "workbook.json").read_text("utf-8")
    in_alerts, in_workbook = (set(re.findall(r"tailrace\.[a-z_]+", source)) for source in (alerts, workbook))
    assert in_alerts < METRICS
    assert in_workbook == METRICS


def test_alerts_workbook_and_settings_name_functions_that_exist(root: Path, templates: Templates) -> None:
    sources = [text(templates["alerts.bicep"].root), (root / "deploy" / "workbook.json").read_text("utf-8")]
    queried = {
        name
        for source in sources
        for match in re.findall(r'requests\s*(?:\\n)?\|\s*where name (?:==|in) [(]?((?:\\?"\w+\\?",? ?)+)', source)
        for name in re.findall(r"\w+", match)
    }
    disabled = set(re.findall(r"AzureWebJobs\.(\w+)\.Disabled", text(templates["functions.bicep"].root)))
    assert queried == FUNCTIONS.keys()
    assert disabled == {"export"}
    for name, file in FUNCTIONS.items():
        assert f"def {name}(" in (root / file).read_text("utf-8")


def test_the_workbook_is_json_and_bicep_fills_all_its_placeholders(root: Path, templates: Templates) -> None:
    source = (root / "deploy" / "workbook.json").read_text("utf-8")
    workbook = json.loads(source)
    names = [item["name"] for item in workbook["items"]]
    assert len(names) == len(set(names))
    filled = set(re.findall(r"\{\{\w+\}\}", text(templates["workbook.bicep"].root)))
    assert set(re.findall(r"\{\{\w+\}\}", source)) == filled
