"""Which PCI functions an operator admits, in the form that OpenStack has for it.

An entry is a JSON object, or a list of them. All that an entry says must hold for a function that it admits::

    {"vendor_id": "8086", "product_id": "0b25"}
    {"address": "*:0a:00.*"}
    {"address": {"bus": "0[a-f]", "function": "[0-3]"}}
    {"devname": "eth2"}

Ids and the parts of an address are hexadecimal, without ``0x``. An address is a text in which ``*`` stands for
anything, or an object of regular expressions that match from the beginning of a part.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from oslo_config import types

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, link_name
from accel.errors import InvalidValue
from accel.model.address import PciAddress

_ANY = "*"
_ADDRESS_PARTS: Mapping[str, tuple[int, int]] = {
    "domain": (0xFFFFFFFF, 4),
    "bus": (0xFF, 2),
    "slot": (0x1F, 2),
    "function": (0x7, 1),
}
"""The largest number of a part of an address, and with how many digits the kernel writes it."""
_FIELDS = ("vendor_id", "product_id", "address", "devname")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of function that is admitted; empty means any."""

    vendor: str = ""
    product: str = ""
    address: tuple[re.Pattern[str], ...] = ()
    """For domain, bus, slot and function, as the kernel writes them."""
    network_device: str = ""
    """The name of the network interface that the function drives."""

    def admits(self, host: Host, function: PciFunction) -> bool:
        """Whether all that the entry says holds for a function of a host."""
        return (
            self.vendor in ("", function.vendor)
            and self.product in ("", function.product)
            and self._has_address(function.address)
            and self._is_behind_network_device(host, function.address)
        )

    def _has_address(self, address: PciAddress) -> bool:
        parts = re.split(r"[:.]", str(address))
        return all(pattern.match(part) for pattern, part in zip(self.address, parts, strict=False))

    def _is_behind_network_device(self, host: Host, address: PciAddress) -> bool:
        if not self.network_device:
            return True
        return link_name(host.sysfs / "class/net" / self.network_device / "device") == str(address)


class EntryText(types.String):
    """The type of an option whose value is the text of an entry: a wrong one is refused as the service starts."""

    def __call__(self, value: object) -> str:
        """The text as it is.

        :raises InvalidValue: it cannot be right
        """
        text: str = super().__call__(value)
        parse_entries(text)
        return text


def parse_entries(text: str) -> tuple[Entry, ...]:
    """Read one entry, or a list of them.

    :raises InvalidValue: it cannot be right; the error names the entry, the field, its value and what is right
    """
    return tuple(_entry(given, where=where) for where, given in _objects(text))


def _objects(text: str) -> Iterable[tuple[str, object]]:
    """The objects in a text, each with the name it goes by in an error."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidValue("entry", text, 'JSON such as {"vendor_id": "8086", "product_id": "0b25"}') from error
    return (
        [(f"entry[{index}]", one) for index, one in enumerate(given)] if isinstance(given, list) else [("entry", given)]
    )


def _entry(given: object, *, where: str) -> Entry:
    if not isinstance(given, dict):
        raise InvalidValue(where, given, "a JSON object, or a list of them")
    for name in sorted(given.keys() - set(_FIELDS)):
        raise InvalidValue(f"{where}.{name}", given[name], f"known here: an entry has {', '.join(_FIELDS)}")
    if "address" in given and "devname" in given:
        raise InvalidValue(f"{where}.devname", given["devname"], "allowed beside address: give one of the two")
    return Entry(
        vendor=_id(given.get("vendor_id", _ANY), where=f"{where}.vendor_id"),
        product=_id(given.get("product_id", _ANY), where=f"{where}.product_id"),
        address=_address(given.get("address", {}), where=f"{where}.address"),
        network_device=_name(given["devname"], where=f"{where}.devname") if "devname" in given else "",
    )


def _id(given: object, *, where: str) -> str:
    """Four hex digits; empty for any."""
    if not isinstance(given, str):
        raise InvalidValue(where, given, 'a text of hex digits, such as "8086"')
    if given.strip() == _ANY:
        return ""
    return f"{_number(given, largest=0xFFFF, where=where):04x}"


def _number(given: str, *, largest: int, where: str) -> int:
    text = given.strip()
    if not re.fullmatch(r"[0-9A-Fa-f]+", text) or int(text, 16) > largest:
        raise InvalidValue(where, given, f"a hexadecimal number without 0x from 0 to {largest:x}, or *")
    return int(text, 16)


def _name(given: object, *, where: str) -> str:
    if not isinstance(given, str) or not given or "/" in given:
        raise InvalidValue(where, given, "the name of a network interface")
    return given


def _address(given: object, *, where: str) -> tuple[re.Pattern[str], ...]:
    if isinstance(given, str):
        return tuple(_glob_patterns(given, where=where))
    if isinstance(given, dict):
        return tuple(_regular_expressions(given, where=where))
    raise InvalidValue(where, given, 'an address such as "*:0a:00.*", or an object of regular expressions')


def _glob_patterns(given: str, *, where: str) -> Iterator[re.Pattern[str]]:
    """What is left out of an address, from its beginning or after the dot, may be anything."""
    front, _, function = given.partition(".")
    fields = [field.strip() or _ANY for field in front.split(":")]
    if len(fields) > 3:
        raise InvalidValue(where, given, "an address of domain:bus:slot.function")
    parts = [_ANY] * (3 - len(fields)) + fields + [function.strip() or _ANY]
    for (name, (largest, digits)), part in zip(_ADDRESS_PARTS.items(), parts, strict=True):
        if part == _ANY:
            yield re.compile("")
        else:
            number = _number(part, largest=largest, where=f"{where}.{name}")
            yield re.compile(rf"{number:0{digits}x}\Z")


def _regular_expressions(given: dict[str, object], *, where: str) -> Iterator[re.Pattern[str]]:
    for name in sorted(given.keys() - _ADDRESS_PARTS.keys()):
        raise InvalidValue(f"{where}.{name}", given[name], f"known here: an address has {', '.join(_ADDRESS_PARTS)}")
    for name in _ADDRESS_PARTS:
        expression = given.get(name, "")
        try:
            yield re.compile(expression if isinstance(expression, str) else "(")
        except re.error as error:
            raise InvalidValue(f"{where}.{name}", expression, "a regular expression") from error
