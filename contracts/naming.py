"""Which blob name templates a job may have: no name outside its container, none twice."""

from datetime import UTC, datetime
from itertools import islice, pairwise, takewhile

from contracts.blob_name import TemplateError, check_integer_format, fields_of, render, resolution
from contracts.grid import Grid, IntegerGrid, TimeGrid
from contracts.ncrontab import fire_times

_NEEDED = {"second": "YmdHMS", "minute": "YmdHM", "hour": "YmdH", "day": "Ymd", "week": "Ymd", "month": "Ym"}
# The first has the most digits.
_MOMENTS = (
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 12, 31, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 1, 1, 1, tzinfo=UTC),
    datetime(2026, 12, 12, 12, 12, 12, tzinfo=UTC),
)
SAMPLES = len(_MOMENTS)
_UNITS = {"Y": "year", "m": "month", "d": "day", "H": "hour", "M": "minute", "S": "second"}


def check_template(template: str, names: dict[str, str], grid: Grid | None, run_unit: str | None) -> None:
    """Refuses, with TemplateError, a template whose names could collide or leave the container.

    `names` are the placeholders with the same value for every export of the job, with these values.
    `run_unit` is the coarsest unit in which two runs of a job without windows differ, None if a newer run
    replaces the blob.
    """
    fields = fields_of(template)
    times = {"window_start", "window_end"} if grid else {"run"}
    for name, spec in fields:
        if name not in times | names.keys():
            allowed = ", ".join(f"{{{key}}}" for key in sorted(times | names.keys()))
            raise TemplateError(f"{{{name}}} is not known here; this job may use {allowed}")
        if name in names and spec:
            raise TemplateError(f"{{{name}}} takes no format")
    formats = {name: [spec for other, spec in fields if other == name] for name, _ in fields if name in times}
    if isinstance(grid, IntegerGrid):
        _tells_integers_apart(formats)
    else:
        _tells_times_apart(formats, grid.every.unit if grid else run_unit, "window_start" if grid else "run")
    try:
        sample_name(template, names, grid)
    except ValueError as error:
        raise TemplateError(str(error)) from None


def sample_name(template: str, names: dict[str, str], grid: Grid | None, number: int = 0) -> str:
    """The name at one of SAMPLES moments, which are the same for all jobs; the first name is the longest."""
    sample: dict[str, object] = dict.fromkeys(("window_start", "window_end", "run"), _sample(grid, number))
    return render(template, {**names, **sample})


def unit_between_runs(schedule: str | None) -> str:
    """The coarsest unit in which any two of a schedule's times differ; a second if there is no schedule.

    >>> unit_between_runs("0 30 2 * * *"), unit_between_runs("0 */15 * * * *")
    ('day', 'minute')
    """
    if schedule is None:
        return "second"
    # A rare schedule, such as 29 February on a Monday, is examined for some centuries only, not for 1,000 times.
    near = takewhile(lambda time: time.year < 2400, fire_times(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
    times = list(islice(near, 1000))
    for unit, pattern in (("month", "%Y%m"), ("day", "%Y%m%d"), ("hour", "%Y%m%d%H"), ("minute", "%Y%m%d%H%M")):
        if all(earlier.strftime(pattern) != later.strftime(pattern) for earlier, later in pairwise(times)):
            return unit
    return "second"


def _tells_integers_apart(formats: dict[str, list[str]]) -> None:
    for specs in formats.values():
        for spec in specs:
            check_integer_format(spec)
    if not formats:
        raise TemplateError("two windows would get the same name; put {window_start} into it")


def _tells_times_apart(formats: dict[str, list[str]], unit: str | None, placeholder: str) -> None:
    """One placeholder alone must distinguish the names: the day of the start and the hour of the end do not combine."""
    found = [set().union(*map(resolution, specs), resolution(" ".join(specs) or "%F%T")) for specs in formats.values()]
    if unit is None or any(set(_NEEDED[unit]) <= units or (unit == "week" and "W" in units) for units in found):
        return
    known = max(found, key=len, default=set())
    lacking = " and ".join(_UNITS[letter] for letter in _NEEDED[unit] if letter not in known)
    what = "runs" if placeholder == "run" else f"windows of a {unit}"
    raise TemplateError(f"two {what} would get the same name; {{{placeholder}}} must also write the {lacking}")


def _sample(grid: Grid | None, number: int) -> object:
    if isinstance(grid, IntegerGrid):
        return (-(2**63), 0, grid.size, 10 * grid.size, 1, 2)[number]
    moment = _MOMENTS[number]
    return moment.date() if isinstance(grid, TimeGrid) and grid.type == "date" else moment
