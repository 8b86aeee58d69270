"""No keys, no passwords, no public data, and no role that is not in roles.json: one line for each breach."""

import re
from collections.abc import Iterator

from deploy.template.rules import Templates, value_of
from deploy.template.syntax import called, literal, text, walk

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SECRET_CALL = re.compile(r"\.?list[A-Z]\w*$|getSecret$")
_SECRET_NAME = re.compile(
    r"connectionstring|password|secret|token|sharedkey|accountkey|primarykey|sastoken", re.IGNORECASE
)
# Type → properties that each resource of it must set.
_REQUIRED: dict[str, dict[str, str | bool]] = {
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.supportsHttpsTrafficOnly": True,
        "properties.minimumTlsVersion": "TLS1_2",
    },
    "Microsoft.ServiceBus/namespaces": {"properties.disableLocalAuth": True, "properties.minimumTlsVersion": "1.2"},
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.ContainerRegistry/registries": {"properties.adminUserEnabled": False},
    "Microsoft.DBforPostgreSQL/flexibleServers": {
        "properties.authConfig.passwordAuth": "Disabled",
        "properties.authConfig.activeDirectoryAuth": "Enabled",
    },
    "Microsoft.Web/sites": {"properties.httpsOnly": True},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}


def dangers(templates: Templates) -> list[str]:
    """Everything in `templates` that opens access or exposes a secret, one line each."""
    rules = (open_doors, secrets, roles_elsewhere, broad_assignments)
    return [line for rule in rules for line in rule(templates)]


def open_doors(templates: Templates) -> Iterator[str]:
    """Resources that accept keys, passwords or plain HTTP, or do not exclude them."""
    for template in templates.values():
        for name, resource in template.resources.items():
            required = {} if resource.existing else _REQUIRED.get(resource.target.partition("@")[0], {})
            for path, value in required.items():
                if value_of(resource, path) != value:
                    yield f"{template.at(resource.node)}: {name}.{path} must be {value}"


def secrets(templates: Templates) -> Iterator[str]:
    """Keys that are read, and outputs and parameter defaults that hold secrets."""
    for template in templates.values():
        for node, function in called(template.root):
            if _SECRET_CALL.search(function):
                yield f"{template.at(node)}: {function} reads a secret"
        for name, node in template.outputs.items():
            if _SECRET_NAME.search(name) or _SECRET_NAME.search(text(node)):
                yield f"{template.at(node)}: the output {name} may hold a secret; deployments store outputs forever"
        for name, parameter in template.parameters.items():
            if _SECRET_NAME.search(name):
                yield f"{template.at(parameter.node)}: the parameter {name} looks like a secret; use an identity"


def roles_elsewhere(templates: Templates) -> Iterator[str]:
    """Literal ids in a template; those of roles belong in roles.json, with their reason."""
    for template in templates.values():
        for node in walk(template.root):
            value = literal(node) if node.type == "string" else None
            if isinstance(value, str) and _GUID.search(value):
                yield f"{template.at(node)}: an id in the template: {value}; put a role's id into roles.json"


def broad_assignments(templates: Templates) -> Iterator[str]:
    """Role assignments without a resource as their scope, or whose role is not from roles.json."""
    for template in templates.values():
        for name, resource in template.resources.items():
            if not resource.target.startswith("Microsoft.Authorization/roleAssignments@"):
                continue
            scope = resource.body.get("scope")
            if scope is None or text(scope) not in template.resources:
                yield f"{template.at(resource.node)}: {name} is not limited to one resource"
            if not re.search(r"'Microsoft.Authorization/roleDefinitions', roles\.\w+\.id\)", text(resource.node)):
                yield f"{template.at(resource.node)}: the role of {name} is not from roles.json"
