from datetime import UTC, datetime, timedelta

from contracts.jobs_file import parse_jobs
from producer.enqueue import lags
from producer.schedule import due_requests

NOW = datetime(2026, 1, 10, 2, tzinfo=UTC)
JOBS = parse_jobs(
    {
        "job": [
            {
                "name": name,
                "schema": "s",
                "table": "t",
                "blob": "{job}/{window_start:%Y/%m/%d}",
                "window": {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "3 days"},
            }
            for name in ("clicks", "views")
        ]
    }
)


def test_a_job_lags_by_the_end_of_its_oldest_due_window_without_a_blob() -> None:
    """In whatever order they are asked for; the windows of 7, 8 and 9 January are due."""
    due = list(due_requests(JOBS["clicks"], NOW))
    assert len(due) == 3
    first_day_is_over = timedelta(days=2, hours=2).total_seconds()
    assert lags(JOBS, reversed(due), NOW) == {"clicks": first_day_is_over, "views": 0.0}
    assert lags(JOBS, due[-1:], NOW)["clicks"] == timedelta(hours=2).total_seconds()


def test_no_job_lags_whose_blobs_are_all_there() -> None:
    assert lags(JOBS, [], NOW) == {"clicks": 0.0, "views": 0.0}
