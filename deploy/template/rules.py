"""The rules that a set of templates must follow to be deployable. Each rule yields one line for each breach."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.template.syntax import (
    Declaration,
    Template,
    accesses,
    called,
    literal,
    loop_names,
    properties,
    read_template,
    text,
    unparsed,
)

type Templates = Mapping[Path, Template]

_VERSIONED = re.compile(r"^(Microsoft\.\w+(/\w+)+)@(\d{4}-\d\d-\d\d(-preview)?)$")
_LOADERS = {"loadJsonContent", "loadTextContent"}
# Every function that the templates call; any other name is a slip, or is added here.
_FUNCTIONS = _LOADERS | {
    *("cidrSubnet", "description", "empty", "environment", "guid", "items", "json", "map", "replace", "resourceId"),
    *("string", "subscription", "subscriptionResourceId", "tenant", "toLower", "union", "uniqueString"),
    *("allowed", "maxLength", "maxValue", "metadata", "minLength", "minValue"),
}
_NAMESPACES = {"az", "sys"}


def read_templates(root: Path) -> dict[Path, Template]:
    """Every .bicep file under `root`, by its path."""
    return {path.resolve(): read_template(path.resolve()) for path in sorted(root.rglob("*.bicep"))}


def breaches(templates: Templates) -> list[str]:
    """Everything that is wrong with `templates`, one line each."""
    rules = (syntax_errors, unresolved_names, unused_names, module_calls, missing_outputs, missing_json, versions)
    return [line for rule in rules for line in rule(templates)]


def syntax_errors(templates: Templates) -> Iterator[str]:
    """Text that is not Bicep."""
    for template in templates.values():
        for node in unparsed(template):
            yield f"{template.at(node)}: not understood: {text(node)[:60]!r}"


def unresolved_names(templates: Templates) -> Iterator[str]:
    """References to undeclared names, and calls of unknown functions."""
    for template in templates.values():
        for node, names in accesses(template.root):
            if names[0] not in template.names | loop_names(node) | _NAMESPACES:
                yield f"{template.at(node)}: {names[0]} is not declared"
        for node, function in called(template.root):
            if function not in _FUNCTIONS:
                yield f"{template.at(node)}: the function {function} is not known"


def unused_names(templates: Templates) -> Iterator[str]:
    """Unused parameters and variables."""
    for template in templates.values():
        used = {names[0] for _, names in accesses(template.root)}
        for name in {**template.parameters, **template.variables}:
            if name not in used:
                yield f"{template.path.name}: {name} is declared, but not used"


def module_calls(templates: Templates) -> Iterator[str]:
    """Missing modules, and wrong or missing parameters of modules."""
    for template in templates.values():
        for name, module in template.modules.items():
            target = templates.get((template.path.parent / module.target).resolve())
            if target is None:
                yield f"{template.at(module.node)}: module {name}: there is no {module.target}"
            else:
                yield from _wrong_parameters(f"{template.at(module.node)}: module {name}", module, target)


def _wrong_parameters(at: str, module: Declaration, target: Template) -> Iterator[str]:
    given = properties(module.body["params"]) if "params" in module.body else {}
    for name in given.keys() - target.parameters.keys():
        yield f"{at}: {target.path.name} has no parameter {name}"
    for name, parameter in target.parameters.items():
        if parameter.required and name not in given:
            yield f"{at}: {target.path.name} requires the parameter {name}"


def missing_outputs(templates: Templates) -> Iterator[str]:
    """Uses of outputs that a module lacks, and uses of a module other than through its outputs."""
    for template in templates.values():
        for node, names in accesses(template.root):
            module = template.modules.get(names[0])
            target = templates.get((template.path.parent / module.target).resolve()) if module else None
            if target is None or _is_dependency(names):
                continue
            if len(names) < 3 or names[1] != "outputs" or names[2] not in target.outputs:
                yield f"{template.at(node)}: {target.path.name} has no {'.'.join(names[1:])}"


def _is_dependency(names: list[str]) -> bool:
    # Only dependsOn names a module as a whole.
    return len(names) == 1


def missing_json(templates: Templates) -> Iterator[str]:
    """Loaded files that do not exist, and entries that they lack."""
    for template in templates.values():
        for node, function in called(template.root):
            if function in _LOADERS and not _loaded(template, text(node)).is_file():
                yield f"{template.at(node)}: there is no such file: {text(node)}"
        for node, names in accesses(template.root):
            source = template.variables.get(names[0])
            if source is not None and text(source).startswith("loadJsonContent("):
                path = _loaded(template, text(source))
                if path.is_file() and not _has(json.loads(path.read_text("utf-8")), names[1:]):
                    yield f"{template.at(node)}: {path.name} has no {'.'.join(names[1:])}"


def _loaded(template: Template, call: str) -> Path:
    return (template.path.parent / call.partition("'")[2].rpartition("'")[0]).resolve()


def _has(data: Any, names: list[str]) -> bool:
    for name in names:
        if not isinstance(data, dict) or name not in data:
            return False
        data = data[name]
    return True


def versions(templates: Templates) -> Iterator[str]:
    """Resources without an API version, and types that are used in two versions."""
    seen: dict[str, str] = {}
    for template in templates.values():
        for resource in template.resources.values():
            match = _VERSIONED.match(resource.target)
            if match is None:
                yield f"{template.at(resource.node)}: no type with an API version: {resource.target}"
            elif seen.setdefault(match[1], match[3]) != match[3]:
                yield f"{template.at(resource.node)}: {match[1]} is used as of {seen[match[1]]} and of {match[3]}"


def wrong_parameters_file(main: Template, content: Mapping[str, Any]) -> Iterator[str]:
    """Differences of main.parameters.json and the parameters of main.bicep."""
    given = content["parameters"].keys()
    for name in given - main.parameters.keys():
        yield f"main.parameters.json: {main.path.name} has no parameter {name}"
    for name in main.parameters.keys() - given:
        yield f"main.parameters.json: the parameter {name} is missing"


def settings_of(template: Template) -> set[str]:
    """The names of the app settings that the variables called …Settings of `template` give."""
    objects = (node for name, node in template.variables.items() if name.endswith("Settings"))
    return {name for node in objects for name in properties(node)}


def value_of(resource: Declaration, path: str) -> str | int | bool | None:
    """The plain value at `path`, such as 'properties.lockDuration'; None if it is computed or missing."""
    first, *rest = path.split(".")
    node = resource.body.get(first)
    for name in rest:
        node = properties(node).get(name) if node is not None else None
    return None if node is None else literal(node)


def roles_used(templates: Templates) -> set[str]:
    """The entries of roles.json that role assignments refer to."""
    return {
        names[1]
        for template in templates.values()
        for _, names in accesses(template.root)
        if names[0] == "roles" and len(names) > 1
    }
