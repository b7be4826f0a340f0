"""What a list or a show command shows: named values of an item, raw for scripts and readable for people.

The names are the keys of the JSON output, which is a stable interface; the headings of a table are made from them, so
that ``-c`` takes either.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accel.cli.client import Item
from accel.cli.errors import WrongUse

_NOT_A_WORD = {"uuid": "UUID", "numa": "NUMA", "cpus": "CPUs", "rc": "class", "rp": "RP"}


@dataclass(frozen=True, slots=True)
class Column:
    """A named value of an item."""

    key: str
    raw: Callable[[Item], Any]
    """What json, yaml, csv and value show."""
    readable: Callable[[Item], Any] | None = None
    """What a table shows, where that differs: a text, or a number to be aligned as one."""

    @property
    def heading(self) -> str:
        """The heading in a table."""
        words = [_NOT_A_WORD.get(word, word) for word in self.key.split("_")]
        return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])

    def cell(self, item: Item) -> Any:
        """What a table shows of the item."""
        value = self.raw(item) if self.readable is None else self.readable(item)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return plain(value) or "-"


def member(key: str, readable: Callable[[Any], Any] | None = None) -> Column:
    """The column of an item's own member.

    :param readable: from the member's value, where that is not None
    """

    def raw(item: Item) -> Any:
        return item[key]

    def shown(item: Item) -> Any:
        value = item[key]
        return None if value is None or readable is None else readable(value)

    return Column(key, raw, None if readable is None else shown)


def within(parent: str, key: str) -> Column:
    """The column of a member of a member: ``counts`` has ``total``, which is shown as ``total``."""
    return Column(key, lambda item: item[parent][key])


def short_uuid(key: str = "uuid") -> Column:
    """A UUID, of which a table shows the first eight characters: enough to name the thing in the next command."""
    return member(key, lambda value: str(value)[:8])


def plain(value: Any) -> str:
    """A value in one piece of text without brackets: ``a=1, b=2`` for an object, ``a, b`` for a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    return str(value)


def chosen(columns: Sequence[Column], names: Iterable[str]) -> list[Column]:
    """The columns with these names or headings, in the order asked for.

    :raises WrongUse: there is no such column
    """
    by_name = {_normal(name): column for column in columns for name in (column.heading, column.key)}
    unknown = [name for name in names if _normal(name) not in by_name]
    if unknown:
        raise WrongUse(f"no column {', '.join(unknown)}; there are: {', '.join(column.key for column in columns)}")
    return [by_name[_normal(name)] for name in names]


def ordered(items: Iterable[Item], by: Sequence[Column], *, descending: bool = False) -> list[Item]:
    """Items sorted by the raw values of columns; what has no value comes last."""
    found = list(items)
    for column in reversed(by):
        valued = [item for item in found if column.raw(item) is not None]
        found = [
            *sorted(valued, key=lambda item: _sortable(column.raw(item)), reverse=descending),
            *(item for item in found if column.raw(item) is None),
        ]
    return found


def _sortable(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else plain(value)


def _normal(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
