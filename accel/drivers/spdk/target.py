"""What an SPDK application says of itself: block devices, NVMe-oF subsystems, vhost controllers.

Facts are from "JSON-RPC Methods" of SPDK's documentation: ``bdev_get_bdevs``, ``nvmf_get_subsystems``,
``vhost_get_controllers``. Releases differ in what they leave out, so nothing but names is taken for granted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accel.drivers.spdk.client import INVALID_STATE, METHOD_NOT_FOUND, Refused, SpdkClient
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.address import PciAddress

_Item = Mapping[str, Any]
_NVME = "NVMe"
"""The subtype of a subsystem with namespaces; the others tell where subsystems are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bdev:
    """A block device of the application. A text is empty when it does not say it."""

    name: str
    product: str
    uuid: str
    block_bytes: int | None
    capacity_bytes: int | None
    is_claimed: bool
    """Whether something has it for itself: a volume store that is made of it, a subsystem that shows it."""
    functions: tuple[PciAddress, ...] = ()
    """The NVMe drives on PCI that it is on, one for each path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where a subsystem can be reached."""

    transport: str
    """``TCP``, ``RDMA`` …"""
    family: str
    """``IPv4``, ``IPv6`` …"""
    address: str
    service: str
    """The port; empty where the transport has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsystem:
    """What NVMe-oF offers under one name."""

    nqn: str
    allows_any_host: bool
    hosts: tuple[str, ...]
    """The NVMe qualified names of the hosts that may connect."""
    listeners: tuple[Listener, ...]
    namespaces: tuple[tuple[int, str], ...]
    """Namespace ids with the block devices that they show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VhostController:
    """A disk or a SCSI controller for a virtual machine, over a Unix socket."""

    name: str
    socket: str
    """Its path; empty when the application does not say it, as older releases."""
    kind: str
    """``blk``, ``scsi``; empty for another one."""
    bdevs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An application, as it is now."""

    version: str
    bdevs: tuple[Bdev, ...]
    subsystems: tuple[Subsystem, ...]
    vhosts: tuple[VhostController, ...]


def read_target(client: SpdkClient) -> Target:
    """Ask an application what it has.

    :raises DriverUnavailable: it does not answer, is not ready, or is too old
    :raises DriverFailure: its answers make no sense
    """
    try:
        return Target(
            version=version(client),
            bdevs=tuple(sorted(map(_bdev, _items(client.call("bdev_get_bdevs"))), key=lambda bdev: bdev.name)),
            subsystems=subsystems(client),
            vhosts=vhosts(client),
        )
    except Refused as error:
        raise _unavailable(error) from error


def subsystems(client: SpdkClient) -> tuple[Subsystem, ...]:
    """The subsystems with namespaces, by name; none of an application that is no NVMe-oF target."""
    found = (item for item in _all(client, "nvmf_get_subsystems") if item.get("subtype", _NVME) == _NVME)
    return tuple(sorted(map(_subsystem, found), key=lambda one: one.nqn))


def vhosts(client: SpdkClient) -> tuple[VhostController, ...]:
    """The vhost controllers, by name; none of an application that is no vhost target."""
    return tuple(sorted(map(_vhost, _all(client, "vhost_get_controllers")), key=lambda one: one.name))


def nvme_controllers(client: SpdkClient) -> tuple[str, ...]:
    """The names of the NVMe controllers that the application drives."""
    return tuple(sorted({_name(item, "name") for item in _all(client, "bdev_nvme_get_controllers")}))


def _all(client: SpdkClient, method: str) -> list[_Item]:
    """What a method lists; nothing where the application has been built without it."""
    try:
        return _items(client.call(method))
    except Refused as error:
        if error.number == METHOD_NOT_FOUND:
            return []
        raise


def _unavailable(error: Refused) -> DriverFailure:
    if error.number == INVALID_STATE:
        return DriverUnavailable(
            f"the SPDK application has not started its subsystems yet: {error}", "call framework_start_init"
        )
    if error.number == METHOD_NOT_FOUND:
        return DriverUnavailable(
            f"the SPDK application is too old, or has no block devices: {error}", "SPDK 20.01 or later is needed"
        )
    return error


def version(client: SpdkClient) -> str:
    """What the application calls itself, with its release; empty when it does not say it."""
    return _text(_item(client.call("spdk_get_version")), "version")


def _bdev(item: _Item) -> Bdev:
    block, count = _number(item, "block_size"), _number(item, "num_blocks")
    return Bdev(
        name=_name(item, "name"),
        product=_text(item, "product_name"),
        uuid=_text(item, "uuid").lower(),
        block_bytes=block,
        capacity_bytes=None if block is None or count is None else block * count,
        is_claimed=item.get("claimed") is True,
        functions=tuple(_functions(item)),
    )


def _functions(item: _Item) -> Iterator[PciAddress]:
    """Of a block device on NVMe, whose paths are a list, or one object in older releases."""
    specific = item.get("driver_specific")
    paths = specific.get("nvme", []) if isinstance(specific, dict) else []
    for path in paths if isinstance(paths, list) else [paths]:
        address = PciAddress.read(_text(path, "pci_address")) if isinstance(path, dict) else None
        if address is not None:
            yield address


def _subsystem(item: _Item) -> Subsystem:
    return Subsystem(
        nqn=_name(item, "nqn"),
        allows_any_host=item.get("allow_any_host") is True,
        hosts=tuple(sorted(_name(host, "nqn") for host in _items(item.get("hosts", [])))),
        listeners=tuple(map(_listener, _items(item.get("listen_addresses", [])))),
        namespaces=tuple(sorted(_namespaces(_items(item.get("namespaces", []))))),
    )


def _namespaces(items: Iterable[_Item]) -> Iterator[tuple[int, str]]:
    for item in items:
        number = _number(item, "nsid")
        if number is None:
            raise DriverFailure(f"SPDK names no nsid of a namespace: {item}")
        yield number, _text(item, "bdev_name") or _name(item, "name")


def _listener(item: _Item) -> Listener:
    return Listener(
        transport=_text(item, "trtype") or _text(item, "transport"),
        family=_text(item, "adrfam"),
        address=_text(item, "traddr"),
        service=_text(item, "trsvcid"),
    )


def _vhost(item: _Item) -> VhostController:
    specific = _item(item.get("backend_specific", {}))
    block, scsi = specific.get("block"), specific.get("scsi")
    bdevs: list[str] = []
    if isinstance(block, dict):
        bdevs = [_text(block, "bdev")]
    elif isinstance(scsi, list):
        bdevs = [_text(lun, "bdev_name") for target in _items(scsi) for lun in _items(target.get("luns", []))]
    kinds = {"blk": isinstance(block, dict), "scsi": isinstance(scsi, list)}
    return VhostController(
        name=_name(item, "ctrlr"),
        socket=_text(item, "socket"),
        kind=next((kind for kind, is_it in kinds.items() if is_it), ""),
        bdevs=tuple(filter(None, bdevs)),
    )


def _items(answer: Any) -> list[_Item]:
    if not isinstance(answer, list):
        raise DriverFailure(f"SPDK gives {str(answer)[:80]!r} where a list is to be")
    return [_item(one) for one in answer]


def _item(answer: Any) -> _Item:
    if not isinstance(answer, dict):
        raise DriverFailure(f"SPDK gives {str(answer)[:80]!r} where an object is to be")
    return answer


def _name(item: _Item, key: str) -> str:
    text = _text(item, key)
    if not text:
        raise DriverFailure(f"SPDK names no {key} in {str(dict(item))[:80]}")
    return text


def _text(item: _Item, key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _number(item: _Item, key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
