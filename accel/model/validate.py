"""What a right answer of a driver is, in one place: the agent refuses a wrong one, ``DriverContract`` tests for it.

Every problem is a sentence that names the thing, the rule that is broken and how to mend it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from accel.model.attribute import RESOURCE_CLASS_KEY, TRAIT_KEY_PREFIX
from accel.model.device import AttachHandle, Deployable, Device, HandleType, Health, Presence, Signal
from accel.model.health import SOURCE

STANDARD_RESOURCE_CLASSES = frozenset({"FPGA", "PGPU", "VGPU", "PCI_DEVICE", "SRIOV_NET_VF"})
"""The classes of OpenStack Placement that stand for accelerators; every other one begins with ``CUSTOM_``."""

MAX_NAME_LENGTH = 255
"""Characters that a name, id, key or value of ours may have."""

MAX_TEXT_LENGTH = 16_000
"""Characters of a text of any length: MariaDB keeps 65,535 bytes, and a character has four at most."""

_MAX_LENGTHS = {
    "identity": MAX_NAME_LENGTH,
    "vendor": MAX_NAME_LENGTH,
    "product": MAX_NAME_LENGTH,
    "model": MAX_NAME_LENGTH,
    "serial": MAX_NAME_LENGTH,
    "kernel_driver": 64,
    "reason": MAX_TEXT_LENGTH,
    "vendor_board_info": MAX_TEXT_LENGTH,
}
"""The texts of a device, each with how many characters are kept of it."""

_MAX_INFO_LENGTH = 512
_MAX_SOURCE_LENGTH = 64
_MAX_NUMBER = 2**31 - 1
_UNKEPT = re.compile("[\x00\ud800-\udfff]")
"""What PostgreSQL does not keep, and what is no Unicode."""

_CUSTOM_RESOURCE_CLASS = re.compile(r"CUSTOM_[A-Z0-9_]{1,248}", re.ASCII)
_TRAIT = re.compile(r"[A-Z0-9_]{1,255}", re.ASCII)
_FIGURE_SUFFIX = "_bytes"
_DECIMAL = re.compile(r"\d+", re.ASCII)
_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_PCI_KEYS = frozenset({"domain", "bus", "device", "function"})


def kept(text: str) -> str:
    """A text as far as it can be kept: what no database keeps is replaced, and what is too long cut off."""
    readable = _UNKEPT.sub("\N{REPLACEMENT CHARACTER}", text)
    return readable if len(readable) <= MAX_TEXT_LENGTH else f"{readable[: MAX_TEXT_LENGTH - 1]}…"


def problems(devices: object, *, node: str = "") -> list[str]:
    """What is wrong with a driver's answer; nothing when it is right.

    :param devices: whatever ``discover()`` gave; one that can be walked once only is used up
    :param node: the node's name, which every deployable's name starts with; empty leaves that rule out
    """
    if isinstance(devices, str | bytes | Mapping) or not isinstance(devices, Iterable):
        return [f"discover() gave {_shown(devices)}: give an iterable of accel.model.device.Device"]
    answer = list(devices)
    mistyped = [problem for index, device in enumerate(answer) for problem in _mistyped_device(index, device)]
    if mistyped:  # the other rules may rely on the types
        return mistyped
    rules: tuple[Callable[[Device], Iterator[str]], ...] = (_wrong_names, _wrong_condition, _wrong_place, _wrong_tree)
    found = [f"{_name(device)}: {problem}" for device in answer for rule in rules for problem in rule(device)]
    found += [
        f"{_name(device)}: deployable {part.name!r}: {problem}"
        for device in answer
        for part in device.deployables
        for problem in _wrong_deployable(part, node)
    ]
    return found + list(_not_unique(answer))


def _name(device: Device) -> str:
    return f"device {device.identity!r}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


# --- types ---


def _mistyped_device(index: int, device: object) -> Iterator[str]:
    if type(device) is not Device:
        yield f"devices[{index}] is {_shown(device)}: give accel.model.device.Device values only"
        return
    yield from _mistyped(device, f"devices[{index}]")


def _mistyped(value: Any, where: str) -> Iterator[str]:
    """The fields of a dataclass value, however deep, that are not what their annotations say."""
    for name, kind in _field_types(value.__class__).items():
        yield from _not_a(kind, getattr(value, name), f"{where}.{name}")


@cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _not_a(kind: Any, value: object, where: str) -> Iterator[str]:
    origin = get_origin(kind)
    if origin is UnionType:
        yield from _not_in_union(kind, value, where)
    elif origin is tuple:
        yield from _not_a_tuple(get_args(kind)[0], value, where)
    elif origin is Mapping:
        yield from _not_a_text_mapping(value, where)
    elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"{where} is {_shown(value)}: give {kind.__name__}"
    elif is_dataclass(kind):
        yield from _mistyped(value, where)
    elif isinstance(value, str) and _UNKEPT.search(value):
        yield f"{where} is {_shown(value)}: leave out NUL and halves of surrogate pairs, which no database keeps"


def _not_in_union(kind: Any, value: object, where: str) -> Iterator[str]:
    """The unions of the model are all ``something | None``."""
    if value is not None:
        wanted = next(option for option in get_args(kind) if option is not type(None))
        yield from _not_a(wanted, value, where)


def _not_a_tuple(item_kind: Any, value: object, where: str) -> Iterator[str]:
    if not isinstance(value, tuple):
        yield f"{where} is {_shown(value)}: give a tuple, because values never change"
        return
    for index, item in enumerate(value):
        yield from _not_a(item_kind, item, f"{where}[{index}]")


def _not_a_text_mapping(value: Any, where: str) -> Iterator[str]:
    is_right = isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(text, str) for key, text in value.items()
    )
    if not is_right:
        yield f"{where} is {_shown(value)}: give a mapping of str to str"
        return
    for text in (text for item in value.items() for text in item):
        yield from _not_a(str, text, where)


# --- signals ---


def signal_problems(signals: object) -> list[str]:
    """What is wrong with what a driver gave for the health of one device; nothing when it is right."""
    if not isinstance(signals, list | tuple):
        return [f"examine() gave {_shown(signals)}: give an iterable of accel.model.health.Signal"]
    mistyped = [problem for index, signal in enumerate(signals) for problem in _mistyped_signal(index, signal)]
    if mistyped:
        return mistyped
    times = Counter(signal.source for signal in signals)
    return [problem for signal in signals for problem in _wrong_signal(signal)] + [
        f"source {source!r} is given {count} times: give one signal for each source"
        for source, count in times.items()
        if count > 1
    ]


def _mistyped_signal(index: int, signal: object) -> Iterator[str]:
    if type(signal) is not Signal:
        yield f"signals[{index}] is {_shown(signal)}: give accel.model.health.Signal values only"
        return
    yield from _mistyped(signal, f"signals[{index}]")


def _wrong_signal(signal: Signal) -> Iterator[str]:
    if not SOURCE.fullmatch(signal.source) or len(signal.source) > _MAX_SOURCE_LENGTH:
        yield f"source is {signal.source!r}: give words of lower case letters and digits with dots between, as pcie.aer"
    if signal.at.tzinfo is None:
        yield f"at is {signal.at}: give a time with its zone"
    if len(signal.text) > MAX_NAME_LENGTH * 4:
        yield f"text has {len(signal.text)} characters: give at most {MAX_NAME_LENGTH * 4}"
    if signal.count is not None and signal.count < 0:
        yield f"count is {signal.count}: give None for what is not counted"


# --- a device ---


def _wrong_names(device: Device) -> Iterator[str]:
    for field in ("identity", "vendor", "product", "model"):
        if not getattr(device, field).strip():
            yield f"{field} is empty: give what stands for it where the host does not say"
    if device.identity != device.identity.strip():
        yield "identity begins or ends with a space: strip it, because not every database tells the two apart"
    for field, most in _MAX_LENGTHS.items():
        text = getattr(device, field) or ""
        if len(text) > most:
            yield f"{field} has {len(text)} characters: give at most {most}"


def _wrong_condition(device: Device) -> Iterator[str]:
    is_fit = device.presence is Presence.PRESENT and device.health is Health.HEALTHY
    if not is_fit and not device.reason:
        yield f"reason is empty though it is {device.presence} and {device.health}: say why, in words"
    if is_fit and device.reason:
        yield f"reason is {device.reason!r} though it is present and healthy: leave it empty, or say what health is"


def _wrong_place(device: Device) -> Iterator[str]:
    if device.numa_node is not None and not 0 <= device.numa_node <= _MAX_NUMBER:
        yield f"numa_node is {device.numa_node}: give None where the host does not say"
    if not all(device.pci_path):
        yield "pci_path has an empty part: name each bridge, or give () where the host does not say"
    for link in device.links:
        if link.peer == device.identity:
            yield "links: it is linked to itself: name the device at the other end"
        if not 1 <= link.width <= _MAX_NUMBER:
            yield f"links: the link to {link.peer} has width {link.width}: leave a link that is down out"


def _wrong_tree(device: Device) -> Iterator[str]:
    parents = {part.name: part.parent for part in device.deployables}
    roots = [name for name, parent in parents.items() if parent is None]
    if parents and len(roots) != 1:
        yield f"{len(roots)} of its deployables have no parent: give the whole card as the one root, parts below it"
    for name, parent in parents.items():
        if parent is not None and parent not in parents:
            yield f"deployable {name!r}: its parent {parent!r} is none of the device's deployables"
        elif not _reaches_root(name, parents):
            yield f"deployable {name!r}: its parents go in a circle: let them end at the card"


def _reaches_root(name: str, parents: Mapping[str, str | None]) -> bool:
    current: str | None = name
    for _ in parents:
        current = parents.get(current) if current is not None else None
    return current is None


# --- a deployable ---


def _wrong_deployable(part: Deployable, node: str) -> Iterator[str]:
    if not part.name or len(part.name) > MAX_NAME_LENGTH:
        yield f"its name has {len(part.name)} characters: give 1 to {MAX_NAME_LENGTH}"
    if not part.name.startswith(node):
        yield f"its name does not start with the node's: name it f'{{host.name}}_…', here {node}_…"
    if part.name != part.name.strip():
        yield "its name begins or ends with a space: strip it, because not every database tells the two apart"
    if not _has_handles_for_each(part):
        yield (
            f"num_accelerators is {part.num_accelerators} with {len(part.handles)} handles: give one handle for each "
            "workload it can serve, or the same number for each, and 0 of both for a card that is cut into parts"
        )
    yield from _wrong_attributes(part)
    for handle in part.handles:
        yield from _wrong_handle(handle)


def _has_handles_for_each(part: Deployable) -> bool:
    """A board whose two functions go to one workload together has two handles and is one accelerator."""
    if part.num_accelerators <= 0:
        return part.num_accelerators == len(part.handles)
    return bool(part.handles) and len(part.handles) % part.num_accelerators == 0


def _wrong_attributes(part: Deployable) -> Iterator[str]:
    for key, count in Counter(attribute.key for attribute in part.attributes).items():
        if count > 1:
            yield f"attribute {key!r} is there {count} times: give each key once (traits1, traits2 …)"
    if part.num_accelerators and not any(attribute.key == RESOURCE_CLASS_KEY for attribute in part.attributes):
        yield "it has no resource class: add accel.model.attribute.resource_class(…)"
    for attribute in part.attributes:
        problem = _wrong_attribute(attribute.key, attribute.value)
        if problem:
            yield f"attribute {attribute.key!r}: {attribute.value!r} {problem}"


def _wrong_attribute(key: str, value: str) -> str:
    if not key or max(len(key), len(value)) > MAX_NAME_LENGTH:
        return f"does not fit: key and value have at most {MAX_NAME_LENGTH} characters, and the key has one at least"
    if (
        key == RESOURCE_CLASS_KEY
        and value not in STANDARD_RESOURCE_CLASSES
        and not _CUSTOM_RESOURCE_CLASS.fullmatch(value)
    ):
        return f"is no resource class: give {', '.join(sorted(STANDARD_RESOURCE_CLASSES))} or CUSTOM_ with A-Z, 0-9, _"
    if key.startswith(TRAIT_KEY_PREFIX) and not _TRAIT.fullmatch(value):
        return "is no trait: give A-Z, 0-9, _ only; accel.model.attribute.custom_trait(…) makes one of any text"
    if key.endswith(_FIGURE_SUFFIX) and not _DECIMAL.fullmatch(value):
        return "is no figure: give a decimal integer, in bytes"
    return ""


def _wrong_handle(handle: AttachHandle) -> Iterator[str]:
    if not handle.info:
        yield f"a {handle.type} handle has no info: say what is handed to the workload"
    if len(handle.key) > _MAX_INFO_LENGTH:
        yield f"a {handle.type} handle has an info of {len(handle.key)} characters: give at most {_MAX_INFO_LENGTH}"
    if handle.type in (HandleType.PCI, HandleType.TEST_PCI) and not handle.info.keys() >= _PCI_KEYS:
        yield f"a {handle.type} handle has the keys {sorted(handle.info)}: Nova reads {sorted(_PCI_KEYS)}"
    elif handle.type is HandleType.PCI:
        for key in sorted(_PCI_KEYS):
            if not _HEX.fullmatch(handle.info[key]):
                yield f"a PCI handle has {key} {handle.info[key]!r}: give lower-case hex without 0x"


# --- the whole answer ---


def _not_unique(devices: list[Device]) -> Iterator[str]:
    """What must not be there twice, over all devices of the driver."""
    parts = [part for device in devices for part in device.deployables]
    for what, keys, how in (
        ("identity", (device.identity for device in devices), "one card seen twice is one device"),
        ("address", (device.address for device in devices if device.address), "one PCI function is in one device"),
        ("deployable name", (part.name for part in parts), "add the address or the part to it"),
        ("handle", (_handle_key(handle) for part in parts for handle in part.handles), "hand one thing out once only"),
    ):
        for key, count in Counter[object](keys).items():
            if count > 1:
                yield f"{what} {str(key)!r} is there {count} times: {how}"


def _handle_key(handle: AttachHandle) -> str:
    return f"{handle.type} {', '.join(f'{key}={value}' for key, value in sorted(handle.info.items()))}"
