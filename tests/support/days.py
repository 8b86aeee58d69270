"""Days before today, as people write them."""

from datetime import UTC, datetime, timedelta

NOW = datetime.now(UTC)


def day(number: int) -> str:
    """The day so many days ago: of the moment, since a run of all tests may go past midnight."""
    return (datetime.now(UTC).date() - timedelta(days=number)).isoformat()
