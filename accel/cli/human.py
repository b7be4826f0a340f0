"""Figures and moments as people write and read them. Scripts get the raw ones."""

import re
from datetime import UTC, datetime, timedelta

from accel.cli.errors import WrongUse

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_MAX_DURATION = timedelta(days=36525)  # a century: beyond it a date is meant


def size(count: int) -> str:
    """Bytes in the largest binary unit that leaves at least 1: ``80 GiB``, ``3.5 TiB``."""
    unit = max(0, (count.bit_length() - 1) // 10)
    unit = min(unit, len(_SIZES) - 1)
    value = count / 1024**unit
    text = f"{value:.1f}".removesuffix(".0") if value < 100 else f"{value:.0f}"
    return f"{text} {_SIZES[unit]}"


def duration(text: str) -> timedelta:
    """Read ``90s``, ``10m``, ``2h``, ``1.5d``, ``1w`` or several together: ``1h30m``.

    :raises WrongUse: it is none of them, or longer than a century
    """
    if _DURATION.fullmatch(text) is None:
        raise WrongUse(f"{text!r} is not a duration such as 90s, 10m, 2h or 1h30m")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if seconds > _MAX_DURATION.total_seconds():
        raise WrongUse(f"{text!r} is longer than a century")
    return timedelta(seconds=seconds)


def moment(text: str, *, now: datetime) -> datetime:
    """Read how long ago (``10m``) or when (``2026-11-21T10:00``, ``2026-11-21``; UTC unless it says otherwise).

    :raises WrongUse: it is neither
    """
    if _DURATION.fullmatch(text):
        return now - duration(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUse(f"{text!r} is neither how long ago (10m, 2h, 1d) nor when (2026-11-21T10:00)") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def parse_moment(text: str) -> datetime:
    """Read a moment of the API, which always has a zone or means UTC."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def age(text: str | None, *, now: datetime | None = None) -> str:
    """How long ago a moment of the API was: ``4 s``, ``12 min``, ``5 h``, ``3 d``; ``-`` where there is none."""
    if text is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - parse_moment(text)).total_seconds()
    if seconds < 60:
        return f"{max(0, int(seconds))} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400)} d"


def ago(text: str | None, *, now: datetime | None = None) -> str:
    """The same as a statement: ``12 min ago``."""
    return f"{age(text, now=now)} ago" if text else "-"


def clock(text: str, *, now: datetime | None = None) -> str:
    """A moment of the API in UTC: the time of day, with the date before it unless it was within the last day."""
    when = parse_moment(text).astimezone(UTC)
    is_recent = (now or datetime.now(UTC)) - when < timedelta(days=1)
    return when.strftime("%H:%M:%S" if is_recent else "%Y-%m-%d %H:%M:%S")


def plural(count: int, noun: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
