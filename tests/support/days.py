"""Days before today, as people write them."""

from datetime import UTC, datetime, timedelta

NOW = datetime.now(UTC)


def day(number: int) -> str:
    """The day so many days ago."""
    return (NOW.date() - timedelta(days=number)).isoformat()
