"""Comparisons of what a part of a device is with what is wanted: ``memory >= 40GiB``, ``model ~ H100``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from accel.errors import InvalidValue
from accel.model.profile import shortened

ALIASES: Mapping[str, str] = {"memory": "memory_bytes", "capacity": "capacity_bytes"}
"""Shorter names of figures."""

UNITS: Mapping[str, int] = {
    "": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
"""What may stand after a number."""

_NUMBER = re.compile(rf"([0-9]{{1,30}}(?:\.[0-9]{{1,9}})?)\s*({'|'.join(unit for unit in UNITS if unit)}|)", re.ASCII)
_COMPARISON = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]{0,254})\s*(>=|<=|!=|>|<|=|~)\s*([^,;<>=!~]{1,255})", re.ASCII)


class Operator(StrEnum):
    """How the two sides are compared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"
    EQUAL = "="
    DIFFERENT = "!="
    CONTAINS = "~"
    """The value occurs in the text, in capitals or not."""


_NUMBERS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.AT_LEAST: ge,
    Operator.AT_MOST: le,
    Operator.MORE: gt,
    Operator.LESS: lt,
    Operator.EQUAL: eq,
    Operator.DIFFERENT: ne,
}
_TEXTS = {sign: _NUMBERS[sign] for sign in (Operator.EQUAL, Operator.DIFFERENT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One condition on a figure of a part, or on the ``type``, ``vendor``, ``model`` or ``kind`` of it."""

    key: str
    """As it is recorded: ``memory_bytes``, not ``memory``."""
    operator: Operator
    value: str
    """As it was given: ``40GiB``."""

    def __str__(self) -> str:
        return f"{self.key} {self.operator} {self.value}"

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Whether a part with these facts is right. What is not known of it is not right, be it for ``!=``.

        Two numbers are compared as numbers, everything else as texts.
        """
        fact = facts.get(self.key)
        if fact is None:
            return False
        if self.operator is Operator.CONTAINS:
            return self.value.casefold() in fact.casefold()
        ours, theirs = number(fact), number(self.value)
        if ours is None or theirs is None:
            return _TEXTS.get(self.operator, _never)(fact, self.value)
        return _NUMBERS[self.operator](ours, theirs)


def read_comparison(text: str, field: str = "where") -> Comparison:
    """Read a condition as a person writes it.

    :param field: where it stands, for the error
    :raises InvalidValue: it is none
    """
    match = _COMPARISON.fullmatch(text)
    if match is None:
        expected = "a comparison such as memory >= 40GiB or model ~ H100, with one of >= <= > < = != ~"
        raise InvalidValue(field, shortened(text), expected)
    name, sign, value = match.groups()
    value, operator = value.strip(), Operator(sign)
    if not value:
        raise InvalidValue(field, shortened(text), f"a comparison with a value behind {sign}")
    if operator not in (*_TEXTS, Operator.CONTAINS) and number(value) is None:
        expected = f"a number behind {sign}, with or without one of {', '.join(unit for unit in UNITS if unit)}"
        raise InvalidValue(field, shortened(text), expected)
    return Comparison(key=ALIASES.get(name, name), operator=operator, value=value)


def _never(_fact: str, _value: str) -> bool:
    """Texts have no order."""
    return False


@lru_cache(maxsize=4096)
def number(text: str) -> Decimal | None:
    """The number that a text is, in base units; None for a text that is none."""
    match = _NUMBER.fullmatch(text)
    return None if match is None else Decimal(match[1]) * UNITS[match[2]]
