"""A Bicep file as declarations, parsed with tree-sitter's grammar. Pure, except that it reads the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))


@dataclass(frozen=True)
class Parameter:
    """One `param`; required if it has no default."""

    node: Node
    type: str
    required: bool


@dataclass(frozen=True)
class Declaration:
    """One `resource` or `module`: its type@version or path, and its body (the loop's body, if it is a loop)."""

    node: Node
    target: str
    body: dict[str, Node]
    existing: bool


@dataclass(frozen=True)
class Template:
    """One Bicep file. Names are unique over parameters, variables, resources and modules."""

    path: Path
    root: Node
    parameters: dict[str, Parameter]
    variables: dict[str, Node]
    resources: dict[str, Declaration]
    modules: dict[str, Declaration]
    outputs: dict[str, Node]

    @property
    def names(self) -> set[str]:
        """Every name that an expression of this file may refer to."""
        return {*self.parameters, *self.variables, *self.resources, *self.modules}

    def at(self, node: Node) -> str:
        """The place of `node` for a message, as file:line."""
        return f"{self.path.name}:{node.start_point.row + 1}"


def read_template(path: Path) -> Template:
    """The template at `path`; `unparsed` lists what could not be parsed."""
    root = _PARSER.parse(path.read_bytes()).root_node
    return Template(
        path=path,
        root=root,
        parameters={_name(node): _parameter(node) for node in _declared(root, "parameter_declaration")},
        variables={_name(node): node.named_children[-1] for node in _declared(root, "variable_declaration")},
        resources={_name(node): _declaration(node) for node in _declared(root, "resource_declaration")},
        modules={_name(node): _declaration(node) for node in _declared(root, "module_declaration")},
        outputs={_name(node): node.named_children[-1] for node in _declared(root, "output_declaration")},
    )


def unparsed(template: Template) -> Iterator[Node]:
    """The nodes that the grammar could not parse."""
    return (node for node in walk(template.root) if node.type == "ERROR" or node.is_missing)


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything inside it, outer before inner."""
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    """The source text of `node`."""
    return (node.text or b"").decode()


def literal(node: Node) -> str | int | bool | None:
    """The value of a plain string, number or boolean; None for any other expression."""
    if node.type == "string" and not any(child.type == "interpolation" for child in node.children):
        return text(node)[1:-1]
    if node.type == "number":
        return int(text(node))
    return {"true": True, "false": False}.get(text(node))


def properties(node: Node) -> dict[str, Node]:
    """The properties of an object, without those whose name is computed; empty for anything else."""
    if node.type != "object":
        return {}
    found = {}
    for child in node.named_children:
        if child.type == "object_property":
            key, *_, value = (part for part in child.named_children if part.type != "comment")
            found[text(key).strip("'")] = value
    return found


def chain(node: Node) -> list[str]:
    """The names of an access like `m[0].outputs.host`: ['m', 'outputs', 'host']; empty if it starts at a call."""
    if node.type == "identifier":
        return [text(node)]
    inner = node.child_by_field_name("object")
    if inner is None or not (start := chain(inner)):
        return []
    last = node.child_by_field_name("property")
    return start if last is None else [*start, text(last)]


def accesses(root: Node) -> Iterator[tuple[Node, list[str]]]:
    """Every access of a name inside `root`, at its full length, with its chain."""
    for node in walk(root):
        if _is_reference(node) and not (node.parent and _continues(node.parent, node)) and (names := chain(node)):
            yield node, names


def called(root: Node) -> Iterator[tuple[Node, str]]:
    """Every call inside `root`, with the function's name, without the namespace of the language."""
    for node in walk(root):
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is not None:
            yield node, text(function).removeprefix("az.").removeprefix("sys.")


def loop_names(node: Node) -> set[str]:
    """The names that loops and lambdas around `node` define."""
    found: set[str] = set()
    around = node.parent
    while around is not None:
        if around.type == "lambda_expression":
            found |= {text(part) for part in around.named_children[:-1]}
        if around.type == "for_statement":
            found |= {text(part) for part in walk(around.named_children[0]) if part.type.startswith(("loop_", "ident"))}
        around = around.parent
    return found


def _is_reference(node: Node) -> bool:
    if node.type in ("member_expression", "subscript_expression"):
        return True
    around = node.parent
    if node.type != "identifier" or around is None or around.type in _NAMING:
        return False
    first = around.named_children[0]
    if around.type in ("object_property", "for_statement"):
        return first != node
    if around.type == "lambda_expression":
        return around.named_children[-1] == node
    if around.type == "call_expression":
        return around.child_by_field_name("function") != node
    return not (around.type.endswith("_declaration") and first == node)


# Positions in which an identifier is a declaration, not a reference.
_NAMING = {"type", "nullable_type", "user_defined_function", "parameter", "for_loop_parameters", "decorator"}


def _continues(around: Node, node: Node) -> bool:
    return around.type in ("member_expression", "subscript_expression") and around.child_by_field_name("object") == node


def _declared(root: Node, kind: str) -> Iterator[Node]:
    return (node for node in root.named_children if node.type == kind)


def _name(node: Node) -> str:
    return text(node.named_children[0])


def _parameter(node: Node) -> Parameter:
    _, kind, *default = (child for child in node.named_children if child.type != "comment")
    return Parameter(node, text(kind), required=not default and not text(kind).endswith("?"))


def _declaration(node: Node) -> Declaration:
    body = node.named_children[-1]
    while body.type in ("for_statement", "if_statement"):
        body = body.named_children[-1]
    existing = any(child.type == "existing" for child in node.children)
    return Declaration(node, text(node.named_children[1]).strip("'"), properties(body), existing)
