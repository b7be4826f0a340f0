"""Time for tests: it stands still until a test lets it pass."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Call it for the time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **duration: float) -> None:
        """Let time pass: ``clock.pass_(minutes=5)``."""
        self.now += timedelta(**duration)


class Seconds:
    """Call it for the seconds since whenever; add to ``now`` to let time pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
