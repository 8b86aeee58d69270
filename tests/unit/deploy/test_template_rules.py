"""Every rule over the templates can fail: small samples, each broken in one way."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deploy.template.rules import breaches, wrong_parameters_file
from deploy.template.safety import dangers
from deploy.template.syntax import Template

type Write = Callable[..., Mapping[Path, Template]]

GOOD_MODULE = """
param name string
param size int = 1
param note string?
output text string = '${name}${size}${note}'
"""
CALL = """
module part 'part.bicep' = {{
  name: 'part'
  params: {{
    {params}
  }}
}}
output text string = part.outputs.{output}
"""
ACCOUNT = """
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {{
  name: 'x'
  properties: {{
    allowSharedKeyAccess: {keys}
    allowBlobPublicAccess: false
    supportsHttpsTrafficOnly: true
    minimumTlsVersion: 'TLS1_2'
  }}
}}
"""
ASSIGNMENT = """
var roles = loadJsonContent('roles.json')
resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {{
  name: 'a/b'
}}
resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{
  {scope}
  name: guid(queue.id)
  properties: {{
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', {role})
  }}
}}
"""


def test_a_call_with_what_the_module_asks_for_is_well(written: Write) -> None:
    assert breaches(written(part_bicep=GOOD_MODULE, main_bicep=CALL.format(params="name: 'x'", output="text"))) == []


@pytest.mark.parametrize(
    ("params", "output", "message"),
    [
        ("size: 1", "text", "part.bicep requires the parameter name"),
        ("name: 'x'\n    colour: 1", "text", "part.bicep has no parameter colour"),
        ("name: 'x'", "texts", "part.bicep has no outputs.texts"),
    ],
)
def test_a_call_that_the_module_does_not_take_is_found(written: Write, params: str, output: str, message: str) -> None:
    found = breaches(written(part_bicep=GOOD_MODULE, main_bicep=CALL.format(params=params, output=output)))
    assert [line.partition(": ")[2].removeprefix("module part: ") for line in found] == [message]


def test_an_output_of_a_conditional_module_is_looked_up_too(written: Write) -> None:
    main = CALL.format(params="name: 'x'", output="text").replace("part.outputs.text", "part.?outputs.nothing ?? ''")
    assert breaches(written(part_bicep=GOOD_MODULE, main_bicep=main)) == [
        "main.bicep:8: part.bicep has no outputs.nothing"
    ]


def test_a_module_that_does_not_exist_is_found(written: Write) -> None:
    found = breaches(written(main_bicep="module part 'parts.bicep' = {\n  name: 'part'\n}\n"))
    assert found == ["main.bicep:1: module part: there is no parts.bicep"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("var a = {", "not understood"),
        ("resource 'x' = {}", "not understood"),
        ("output a string = b", "b is not declared"),
        ("output a string = '${b}'", "b is not declared"),
        ("output a array = [for c in ['x']: d]", "d is not declared"),
        ("output a array = map(['x'], c => d.e)", "d is not declared"),
        ("output a string = toLowr('x')", "the function toLowr is not known"),
        ("param a string", "a is declared, but not used"),
        ("var a = 'x'", "a is declared, but not used"),
        ("var a = loadJsonContent('nothing.json')\noutput b object = a", "there is no such file"),
        ("resource a 'Microsoft.Storage/storageAccounts' = {\n  name: 'x'\n}", "no type with an API version"),
    ],
)
def test_a_slip_in_one_file_is_found(written: Write, source: str, message: str) -> None:
    assert any(message in line for line in breaches(written(main_bicep=source)))


@pytest.mark.parametrize(
    "source",
    [
        "output a array = [for c in ['x']: c]",
        "output a array = [for (c, i) in ['x']: '${c}${i}']",
        "output a array = map(['x'], c => { name: c })",
        "output a object = { b: 'the key is no reference' }",
        "output a string = az.subscription().id",
    ],
)
def test_what_bicep_allows_is_not_found(written: Write, source: str) -> None:
    assert breaches(written(main_bicep=source)) == []


def test_an_entry_that_a_loaded_file_does_not_have_is_found(written: Write) -> None:
    source = "var a = loadJsonContent('data.json')\noutput b string = a.one.two\noutput c string = a.one.three"
    found = breaches(written(data_json='{"one": {"two": "x"}}', main_bicep=source))
    assert found == ["main.bicep:3: data.json has no one.three"]


def test_two_versions_of_one_type_are_found(written: Write) -> None:
    source = "resource a 'Microsoft.Storage/storageAccounts@{}' existing = {{\n  name: 'x'\n}}\n"
    found = breaches(written(a_bicep=source.format("2024-01-01"), b_bicep=source.format("2023-05-01")))
    assert found == ["b.bicep:1: Microsoft.Storage/storageAccounts is used as of 2024-01-01 and of 2023-05-01"]


def test_a_parameters_file_of_another_template_is_found(written: Write) -> None:
    [main] = written(main_bicep="param a string\nparam b string\n").values()
    found = sorted(wrong_parameters_file(main, {"parameters": {"a": {}, "c": {}}}))
    assert found == [
        "main.parameters.json: main.bicep has no parameter c",
        "main.parameters.json: the parameter b is missing",
    ]


def test_an_account_that_takes_no_keys_is_well(written: Write) -> None:
    assert dangers(written(main_bicep=ACCOUNT.format(keys="false"))) == []


@pytest.mark.parametrize("keys", ["true", "!false"])
def test_an_account_that_takes_keys_is_found(written: Write, keys: str) -> None:
    found = dangers(written(main_bicep=ACCOUNT.format(keys=keys)))
    assert found == ["main.bicep:2: account.properties.allowSharedKeyAccess must be False"]


@pytest.mark.parametrize(
    "target",
    [
        "Microsoft.ServiceBus/namespaces@2024-01-01",
        "Microsoft.Insights/components@2020-02-02",
        "Microsoft.ContainerRegistry/registries@2023-07-01",
        "Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01",
        "Microsoft.Web/sites@2024-04-01",
    ],
)
def test_a_resource_that_leaves_its_door_as_it_is_is_found(written: Write, target: str) -> None:
    assert dangers(written(main_bicep=f"resource a '{target}' = {{\n  name: 'x'\n}}\n"))


@pytest.mark.parametrize(
    "source",
    [
        "output a string = b.listKeys().keys[0].value",
        "output a string = listKeys(b.id, '2024-01-01').keys[0].value",
        "output appConnectionString string = 'x'",
        "output a string = component.properties.ConnectionString",
        "@secure()\nparam adminPassword string",
        "var a = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'",
    ],
)
def test_a_secret_or_an_id_in_a_template_is_found(written: Write, source: str) -> None:
    assert dangers(written(main_bicep=source))


def test_an_assignment_of_a_listed_role_on_one_resource_is_well(written: Write) -> None:
    source = ASSIGNMENT.format(scope="scope: queue", role="roles.sender.id")
    assert dangers(written(roles_json='{"sender": {"id": "x"}}', main_bicep=source)) == []


@pytest.mark.parametrize(
    ("scope", "role", "message"),
    [
        ("", "roles.sender.id", "access is not limited to one resource"),
        ("scope: resourceGroup()", "roles.sender.id", "access is not limited to one resource"),
        ("scope: queue", "roleId", "the role of access is not from roles.json"),
    ],
)
def test_an_assignment_that_is_too_wide_is_found(written: Write, scope: str, role: str, message: str) -> None:
    found = dangers(written(main_bicep=ASSIGNMENT.format(scope=scope, role=role)))
    assert [line.partition(": ")[2] for line in found] == [message]
