"""The form in which an export is written."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.model import Model


def _delimiter(value: str) -> str:
    if len(value.encode()) != 1 or value in '\r\n"\\.\0' or value.isalnum():
        raise ValueError(
            "a delimiter is one single-byte character, no letter, digit, quote, backslash, dot, line end or NUL"
        )
    return value


def _null(value: str) -> str:
    if any(character in value for character in '\r\n"\0'):
        raise ValueError("the text for NULL cannot contain quotes, line ends or NUL characters")
    return value


class Output(Model):
    """CSV as PostgreSQL itself writes it (UTF-8, quotes where needed, `""` for an empty text against NULL).

    `level` is the compression level, 0 (least) to 3 (most) as in ISA-L.
    """

    format: Literal["csv"] = "csv"
    header: bool = True
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    null: Annotated[str, AfterValidator(_null)] = ""
    compression: Literal["gzip"] = "gzip"
    level: Annotated[int, Field(ge=0, le=3)] = 2

    @model_validator(mode="after")
    def _tell_null_from_delimiter(self) -> Self:
        if self.delimiter in self.null:
            raise ValueError("the text for NULL cannot contain the delimiter")
        return self
