"""The base of every contract, and the types of names that PostgreSQL and Azure limit."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeAliasType, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails

# Replaces pydantic's messages that repeat the rejected value or use terms of Python.
_PLAIN = {
    "extra_forbidden": "unknown key",
    "missing": "missing",
    "union_tag_not_found": "missing",
    "union_tag_invalid": "must be one of {expected_tags}",
    "model_type": "must be an object of keys and values",
    "model_attributes_type": "must be an object of keys and values",
    **dict.fromkeys(
        ("date_from_datetime_inexact", "date_from_datetime_parsing", "date_parsing", "date_type"),
        "write a day, such as 2026-01-31",
    ),
}
_PARSER = re.compile(", (unable to parse|input is too) .*")
_TAGGED = {"window", "source"}


class Model(BaseModel):
    """Frozen; unknown keys are refused; fields travel under their aliases."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)


def identifier(value: str) -> str:
    """A PostgreSQL identifier, exactly as the catalogue stores it: unquoted, case-sensitive.

    >>> identifier('Weird "name"; drop table x')
    'Weird "name"; drop table x'

    PostgreSQL truncates a longer name without an error, which could name another table:

    >>> identifier("x" * 64)
    Traceback (most recent call last):
    ValueError: an identifier has 1 to 63 bytes of UTF-8; this one has 64
    """
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError("an identifier must be valid Unicode text") from None
    if not 1 <= size <= 63:
        raise ValueError(f"an identifier has 1 to 63 bytes of UTF-8; this one has {size}")
    if "\0" in value:
        raise ValueError("an identifier cannot contain the character NUL")
    return value


Identifier = Annotated[str, AfterValidator(identifier)]
_JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
JobName = Annotated[str, StringConstraints(pattern=_JOB_NAME)]


def _flag(value: object, info: ValidationInfo) -> object:
    """Pydantic reads "no" as false and "on" as true; whoever writes a text into a file may mean anything."""
    if info.mode == "python" and not isinstance(value, bool):
        raise ValueError("write true or false, without quotes")
    return value


def _whole(value: object, info: ValidationInfo) -> object:
    """Pydantic reads "3" as 3, and true as 1."""
    if info.mode == "python" and isinstance(value, str | bool):
        raise ValueError("write a whole number, without quotes")
    return value


# Of files. Requests come as JSON, which is read as it always was.
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = BeforeValidator(_whole)


def describe(error: ValidationError, *, limit: int = 5) -> str:
    """One line for a person: each problem as `field: message`, never the rejected values."""
    lines = list(describe_each(error))
    more = [f"and {len(lines) - limit} more"] if len(lines) > limit else []
    return "; ".join([*lines[:limit], *more])


def describe_each(error: ValidationError, model: type[BaseModel] | None = None) -> Iterator[str]:
    """Each problem as `field: message`; an unknown key or kind of `model` with the one that was probably meant."""
    for problem in error.errors(include_url=False, include_input=False):
        meant = _meant(problem, model) if model else None
        yield _line(problem) + (f"; {meant}" if meant else "")


def field_path(parts: Iterable[str | int]) -> str:
    """The dotted path of a field, as a person would write it.

    >>> field_path(("source", "table", "columns", 2))
    'source.table.columns[2]'
    """
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".")


def _line(problem: ErrorDetails) -> str:
    plain, context = _PLAIN.get(problem["type"]), problem.get("ctx", {})
    message = plain.format(**context) if plain else plain_words(problem["msg"])
    if context.get("pattern") == _JOB_NAME:
        message = "it has 1 to 63 letters, digits and _ . -, and begins with a letter or digit"
    where = field_path([*_without_tags(problem["loc"]), *_discriminator(context)])
    return on_one_line(f"{where}: {message}" if where else message)


def _discriminator(context: Mapping[str, Any]) -> list[str]:
    """The key that says which member of a union is meant, if the problem is with this key."""
    return [context["discriminator"].strip("'")] if "discriminator" in context else []


def plain_words(message: str) -> str:
    """Pydantic's words, without its own names.

    >>> plain_words("Input should be a valid integer, unable to parse string as an integer")
    'it should be a valid integer'
    """
    ours = message.removeprefix("Value error, ").replace("Input should", "it should")
    return _PARSER.sub("", ours)


def on_one_line(text: str) -> str:
    r"""Text with its line ends and control characters written out: keys and values of others may hold any.

    >>> print(on_one_line("output.a\nb: unknown key"))
    output.a\nb: unknown key
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _without_tags(parts: tuple[str | int, ...]) -> Iterator[str | int]:
    """Removes the kind of a union's member, which pydantic adds after the field and the user never wrote."""
    for before, part in zip(("", *parts), parts, strict=False):
        if before not in _TAGGED:
            yield part if isinstance(part, int) else part[:64]


def _meant(problem: ErrorDetails, model: type[BaseModel]) -> str | None:
    """What was probably meant by an unknown key or kind."""
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        return _closest(context["tag"], [tag.strip("'") for tag in context["expected_tags"].split(", ")])
    if problem["type"] != "extra_forbidden":
        return None
    *parents, key = _without_tags(problem["loc"])
    models = [model]
    for parent in parents:
        fields = [field for one in models for name, field in _fields_of(one) if name == parent]
        models = [inner for field in fields for inner in _models_in(field)]
    known = [name for one in models for name, _ in _fields_of(one)]
    if key in known:
        parent, kind = problem["loc"][-3:-1]
        return f"a {parent} of type {kind} has none"
    return _closest(str(key), known)


def _closest(text: str, known: Sequence[str]) -> str | None:
    return next((f"did you mean {one}?" for one in get_close_matches(text, known, n=1)), None)


def _fields_of(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Each field's name, as it is written in a file, with its type."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field.annotation


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this type may be."""
    if isinstance(annotation, TypeAliasType):
        yield from _models_in(annotation.__value__)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(annotation):
            yield from _models_in(inner)
