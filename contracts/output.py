"""The form in which an export is written."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.model import Flag, Identifier, Model, Whole, identifier

_SUFFIXES = {"gzip": ".gz", "zstd": ".zst", "none": ""}
_CONTENT_TYPES = {"gzip": "application/gzip", "zstd": "application/zstd", "none": "text/csv; charset=utf-8"}
# The levels of each compression, and its default; None: the rows decide.
_LEVELS: dict[str, tuple[range, int | None]] = {
    "gzip": (range(10), None),
    "zstd": (range(1, 20), 1),
    "none": (range(0), 0),
}
_PARQUET_KEYS = ("dictionary", "statistics", "bloom_filters")
# How often a bloom filter says of a value that it may be there, though it is not.
_FALSE_POSITIVES = 0.01
_LEAST_FALSE_POSITIVES, _MOST_FALSE_POSITIVES = 0.0001, 0.5


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


def _columns(value: object) -> object:
    """Checked here as a whole: a union of types would report each of them on a line of its own."""
    if isinstance(value, bool) or value is None:
        return value
    if not _is_list_of_columns(value):
        raise ValueError('write true, false, or a list of columns such as ["id", "kind"]')
    return value


def _filters(value: object) -> object:
    if value is None or _is_list_of_columns(value):
        return value
    if not isinstance(value, Mapping) or not value or not all(map(_is_column, value)):
        raise ValueError('write a list of columns such as ["id"], or a false-positive probability each: { id = 0.01 }')
    for name, probability in value.items():
        is_number = isinstance(probability, int | float) and not isinstance(probability, bool)
        if not is_number or not _LEAST_FALSE_POSITIVES <= probability <= _MOST_FALSE_POSITIVES:
            least = f"{_LEAST_FALSE_POSITIVES:f}".rstrip("0")
            raise ValueError(f"{name!r}: a false-positive probability is {least} to {_MOST_FALSE_POSITIVES}")
    return value


def _is_list_of_columns(value: object) -> bool:
    """Whether it is a list of columns; raises ValueError for a list of anything else, or of a column twice."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    if not value or not all(map(_is_column, value)):
        raise ValueError("a list names columns, and at least one")
    if twice := [name for name in value if value.count(name) > 1]:
        raise ValueError(f"column {twice[0]!r} is named twice")
    return True


def _is_column(name: object) -> bool:
    return isinstance(name, str) and bool(identifier(name))


type _Columns = Annotated[bool | tuple[Identifier, ...] | None, BeforeValidator(_columns)]
type _Filters = Annotated[tuple[Identifier, ...] | dict[Identifier, float] | None, BeforeValidator(_filters)]


class Output(Model):
    """CSV as PostgreSQL itself writes it (UTF-8, quotes where needed, `""` for an empty text against NULL), or Parquet.

    `level` is the compression's: for gzip 0 and 1 (fastest), 2 and 3 (smaller), 4 to 9 (smallest, slow), else 2, or 5
    or 6 where the rows become a tenth smaller by it; for zstd 1 to 19, else 1. `verify = false` skips the proof that
    gzip of level 2 and above inflates to the rows, which is a little faster.

    Parquet is always compressed with zstd inside and takes `dictionary`, `statistics` and `bloom_filters` only: all
    columns, none, or those named. Without `dictionary` the first row group decides, and without `statistics` long texts
    have none. `bloom_filters` names columns, or gives each one's false-positive probability.
    """

    format: Literal["csv", "parquet"] = "csv"
    header: Flag = True
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    null: Annotated[str, AfterValidator(_null)] = ""
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    level: Annotated[int, Field(ge=0, le=19), Whole] | None = None
    verify: Flag | None = None
    dictionary: _Columns = None
    statistics: _Columns = None
    bloom_filters: _Filters = None

    @property
    def false_positives(self) -> Mapping[str, float]:
        """The columns that have a bloom filter, each with its false-positive probability."""
        filters = self.bloom_filters or {}
        return filters if isinstance(filters, Mapping) else dict.fromkeys(filters, _FALSE_POSITIVES)

    @property
    def named_columns(self) -> Iterator[tuple[str, str]]:
        """The columns that the keys of Parquet name, each with the key."""
        for key in _PARQUET_KEYS:
            value = getattr(self, key)
            for name in () if value is None or isinstance(value, bool) else value:
                yield key, name

    @property
    def for_reading(self) -> Self:
        """What a reader has to know: not the keys of Parquet, whose effect every reader finds in the file."""
        return self.model_copy(update=dict.fromkeys(_PARQUET_KEYS))

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
    def effective_level(self) -> int | None:
        """The compression level in use; None if the rows decide."""
        return _LEVELS[self.compression][1] if self.level is None else self.level

    @model_validator(mode="after")
    def _tell_null_from_delimiter(self) -> Self:
        if self.delimiter in self.null:
            raise ValueError("the text for NULL cannot contain the delimiter")
        return self

    @model_validator(mode="after")
    def _keys_are_the_formats(self) -> Self:
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        known = (
            {"format", *_PARQUET_KEYS} if self.format == "parquet" else {*type(self).model_fields} - {*_PARQUET_KEYS}
        )
        if others := given - known:
            raise ValueError(f'format = "{self.format}" takes no {", ".join(sorted(others))}')
        return self

    @model_validator(mode="after")
    def _has_a_known_level(self) -> Self:
        levels, _ = _LEVELS[self.compression]
        if self.level is not None and self.level not in levels:
            if not levels:
                raise ValueError(f'level: compression = "{self.compression}" takes none')
            raise ValueError(f"level: the levels of {self.compression} are {levels.start} to {levels.stop - 1}")
        return self
