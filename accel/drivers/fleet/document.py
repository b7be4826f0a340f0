"""A document in which every value knows where it stands: of a YAML file, a mistake is told by file, line and field; of
what came in another way, by field.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from accel.errors import InvalidFleet

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([KMGTP]i?)?B", re.ASCII)
_UNITS: dict[str | None, int] = {None: 1} | {
    prefix: base**power
    for power, letter in enumerate("KMGTP", start=1)
    for prefix, base in ((letter, 1000), (letter + "i", 1024))
}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the document. Asking it for the wrong kind of value raises InvalidFleet."""

    source: Path | str
    """The file, or what the document is called where it is none."""
    field: str
    """How to get there: ``nodes[0].cards[1].count``; empty for the whole document."""
    node: yaml.Node

    def error(self, expected: str) -> InvalidFleet:
        """The mistake of being something else than what was expected, in words."""
        if self.node.start_mark is None:
            where = f"{self.source}.{self.field}" if self.field else str(self.source)
        else:
            where = f"{self.source}:{self.node.start_mark.line + 1}: {self.field or 'the file'}"
        return InvalidFleet(f"{where}: {self._shown()} is not {expected}")

    def mapping(self, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, "Entry"]:
        """The entries by key; every key is allowed, none is given twice, no required one is missing."""
        entries = self.pairs(allowed)
        for key in required:
            if key not in entries:
                raise self.error(f"complete: {key} is missing")
        return entries

    def pairs(self, allowed: Collection[str] | None = None) -> dict[str, "Entry"]:
        """The entries by key; none is given twice.

        :param allowed: the keys that may be there; None allows all
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("a mapping: lines of the form `key: value`")
        entries: dict[str, Entry] = {}
        for key_node, value in self.node.value:
            key_entry = Entry(self.source, self.field, key_node)
            key = key_entry.text()
            if allowed is not None and key not in allowed:
                raise key_entry.error(f"a key that is known here; {choices(key, allowed)}")
            if key in entries:
                raise key_entry.error("given once only")
            entries[key] = Entry(self.source, f"{self.field}.{key}".lstrip("."), value)
        return entries

    def items(self) -> list["Entry"]:
        """The entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("a list: lines that begin with `- `, or [a, b]")
        return [Entry(self.source, f"{self.field}[{index}]", item) for index, item in enumerate(self.node.value)]

    def text(self) -> str:
        """The text as it stands in the file; numbers are text too, so that an id like 1002 needs no quotes."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.error("a text")
        return str(self.node.value)

    def matching(self, pattern: re.Pattern[str], expected: str) -> str:
        """A text of a given form."""
        text = self.text()
        if pattern.fullmatch(text) is None:
            raise self.error(expected)
        return text

    def one_of(self, allowed: Collection[str]) -> str:
        """One of several words."""
        text = self.text()
        if text not in allowed:
            raise self.error(f"known; {choices(text, allowed)}")
        return text

    def integer(self, minimum: int, maximum: int) -> int:
        """A whole number within bounds."""
        expected = f"a whole number from {minimum} to {maximum}"
        number = int(self.matching(_INTEGER, expected))
        if not minimum <= number <= maximum:
            raise self.error(expected)
        return number

    def size(self) -> int:
        """A size such as ``80GiB``, in bytes."""
        expected = "a size with its unit: B, KB, MB, GB, TB, PB (powers of 1000), KiB, MiB, GiB, TiB, PiB (of 1024)"
        match = _SIZE.fullmatch(self.text())
        if match is None:
            raise self.error(expected)
        number, unit = match.groups()
        return round(float(number) * _UNITS[unit])

    def _shown(self) -> str:
        if isinstance(self.node, yaml.ScalarNode):
            return repr(self.node.value)
        return "this list" if isinstance(self.node, yaml.SequenceNode) else "this mapping"


def read(path: Path) -> Entry:
    """The whole file as one entry.

    :raises InvalidFleet: it cannot be read, is empty, or is no YAML
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InvalidFleet(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidFleet(f"{path}: is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidFleet(f"{path}:{line}: is no YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise InvalidFleet(f"{path}: is no YAML: {error}") from error
    except RecursionError as error:
        raise InvalidFleet(f"{path}: is nested too deep") from error
    if node is None:
        raise InvalidFleet(f"{path}:1: the file is empty; it must have the key nodes")
    return Entry(path, "", node)


def of_value(value: object, source: str) -> Entry:
    """A document of objects, lists and texts, as one entry.

    :param source: what it is called
    """
    return Entry(source, "", _node_of(value))


def _node_of(value: object) -> yaml.Node:
    if isinstance(value, Mapping):
        return yaml.MappingNode("map", [(_node_of(key), _node_of(part)) for key, part in value.items()])
    if isinstance(value, list):
        return yaml.SequenceNode("seq", [_node_of(part) for part in value])
    return yaml.ScalarNode("str", "" if value is None else str(value))


def choices(given: str, allowed: Collection[str]) -> str:
    """What is allowed, led by what was probably meant."""
    listed = f"allowed: {', '.join(sorted(allowed))}" if allowed else "nothing is allowed here"
    near = difflib.get_close_matches(given, allowed, n=1)
    return f"did you mean {near[0]}? ({listed})" if near else listed
