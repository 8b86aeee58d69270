"""The form in which an export is written."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.model import Model

_SUFFIXES = {"gzip": ".gz", "zstd": ".zst", "none": ""}
_CONTENT_TYPES = {"gzip": "application/gzip", "zstd": "application/zstd", "none": "text/csv; charset=utf-8"}
# The levels of each compression, and its default.
_LEVELS = {"gzip": (range(10), 2), "zstd": (range(1, 20), 1), "none": (range(0), 0)}


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
    """CSV as PostgreSQL itself writes it (UTF-8, quotes where needed, `""` for an empty text against NULL), or Parquet.

    Parquet is always compressed with zstd inside and takes none of the other keys. `level` is the compression's:
    for gzip 0 and 1 (fastest), 2 and 3 (smaller), 4 to 9 (smallest, slow), else 2; for zstd 1 to 19, else 1.
    `verify = false` skips the proof that gzip of level 2 and above inflates to the rows, which is a little faster.
    """

    format: Literal["csv", "parquet"] = "csv"
    header: bool = True
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    null: Annotated[str, AfterValidator(_null)] = ""
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    level: Annotated[int, Field(ge=0, le=19)] | None = None
    verify: bool | None = None

    @property
    def suffix(self) -> str:
        """The end of such a blob's name."""
        return ".parquet" if self.format == "parquet" else f".csv{_SUFFIXES[self.compression]}"

    @property
    def content_type(self) -> str:
        """The blob's content type; never with a content encoding, since clients would then unpack a file named .gz."""
        return "application/vnd.apache.parquet" if self.format == "parquet" else _CONTENT_TYPES[self.compression]

    @property
    def is_verified(self) -> bool:
        """Whether gzip is inflated again before it is published."""
        return self.verify is not False

    @property
    def effective_level(self) -> int:
        """The compression level in use."""
        return _LEVELS[self.compression][1] if self.level is None else self.level

    @model_validator(mode="after")
    def _tell_null_from_delimiter(self) -> Self:
        if self.delimiter in self.null:
            raise ValueError("the text for NULL cannot contain the delimiter")
        return self

    @model_validator(mode="after")
    def _parquet_stands_alone(self) -> Self:
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        if self.format == "parquet" and (others := given - {"format"}):
            raise ValueError(f'format = "parquet" takes no {", ".join(sorted(others))}')
        return self

    @model_validator(mode="after")
    def _has_a_known_level(self) -> Self:
        levels, _ = _LEVELS[self.compression]
        if self.level is not None and self.level not in levels:
            known = f"{levels.start} to {levels.stop - 1}" if levels else "none"
            raise ValueError(f"level: the levels of {self.compression} are {known}")
        return self
