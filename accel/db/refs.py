"""What a person means by a short text: the start of a UUID, or a name."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, false, or_
from sqlalchemy.orm import InstrumentedAttribute

_SHORTEST_UUID_PREFIX = 4
"""What is shorter names too much to be meant as the start of a UUID."""


def begins(uuid: InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    """Whether a UUID begins with a text, in capitals too, that is long enough for it."""
    return uuid.startswith(text.lower(), autoescape=True) if len(text) >= _SHORTEST_UUID_PREFIX else false()


def may_be_called(
    uuid: InstrumentedAttribute[str], name: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> Callable[[str], ColumnElement[bool]]:
    """A filter for what a person may mean: by its name, or by the start of its UUID."""
    return lambda text: or_(name == text, begins(uuid, text))
