"""``accel deployable …``: list and show the parts of devices that can be scheduled alone."""

import argparse
from collections.abc import Iterable
from typing import ClassVar

from accel.cli import human, refs
from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Item
from accel.cli.columns import Column, member, plain, short_uuid
from accel.model.device import DeployableKind

_PART = ("uuid", "name", "kind", "rc", "held", "total")
_PCI_INFO = ("domain", "bus", "device", "function")


def part(deployable: Item) -> Item:
    """What a device says of its part."""
    return {column.key: column.raw(deployable) for column in _ABOUT if column.key in _PART}


def part_line(of: Item) -> str:
    """A part as a line of text."""
    return f"{of['name']}  {of['kind']}  {of['rc'] or '-'}  {of['held']}/{of['total']} held"


def _held(deployable: Item) -> int:
    return sum(handle["held"] for handle in deployable["handles"])


def _held_of_total(deployable: Item) -> str:
    return f"{_held(deployable)}/{len(deployable['handles'])}"


def _attributes(deployable: Item) -> str:
    """A line for each attribute; bytes as people read them."""
    return "\n".join(f"{key}={_figure(key, value)}" for key, value in deployable["attributes"].items())


def _figure(key: str, value: str | list[str]) -> str:
    if key.endswith("_bytes") and isinstance(value, str) and value.isdecimal():
        return human.size(int(value))
    return plain(value)


def _handles(deployable: Item) -> str:
    """A line for each attach handle: what it is, and how it is."""
    return "\n".join(" ".join(_handle(handle)) for handle in deployable["handles"])


def _handle(handle: Item) -> Iterable[str]:
    yield handle["type"]
    yield handle_name(handle["info"])
    if handle["presence"] != "present":
        yield handle["presence"]
    yield "held" if handle["held"] else "not held"


def handle_name(info: Item) -> str:
    """A PCI function as the kernel writes it; anything else by what it says."""
    if all(key in info for key in _PCI_INFO):
        domain, bus, device, function = (info[key] for key in _PCI_INFO)
        return f"{domain}:{bus}:{device}.{function}"
    return plain(info.get("uuid") or info.get("nqn") or info.get("path") or info)


_ABOUT = (
    short_uuid(),
    member("name"),
    member("kind"),
    Column("rc", lambda deployable: deployable["attributes"].get("rc")),
    Column("held", _held, _held_of_total),
    Column("total", lambda deployable: len(deployable["handles"])),
    member("presence"),
    member("node"),
    short_uuid("device_uuid"),
    short_uuid("parent_uuid"),
    short_uuid("root_uuid"),
    member("num_accelerators"),
    member("rp_uuid"),
    member("driver_name"),
    member("bitstream_id"),
    Column("attributes", lambda deployable: deployable["attributes"], _attributes),
    Column("handles", lambda deployable: deployable["handles"], _handles),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class DeployableList(ListCommand):
    """List what can be scheduled alone: cards, MIGs, VF pools."""

    noun = "deployable"
    columns: ClassVar[tuple[Column, ...]] = _ABOUT
    order = ("name",)
    shown = ("uuid", "name", "kind", "rc", "held", "presence")
    shown_long = (*shown, "node", "device_uuid", "parent_uuid", "driver_name")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which deployables."""
        group = parser.add_argument_group("which deployables")
        group.add_argument("--device", help="parts of this device (anything that `device show` takes)")
        group.add_argument("--node", help="on this node")
        group.add_argument("--kind", choices=tuple(map(str, DeployableKind)), help="of this kind")
        group.add_argument("--rc", metavar="CLASS", help="of this resource class: PGPU, FPGA, CUSTOM_NVME")
        group.add_argument("--presence", choices=("present", "lost"), help="that are there, or were there and are lost")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the deployables."""
        client = client_of(self)
        asked = {"sort_key": "name", **query(parsed_args, ("node", "kind", "rc", "presence"))}
        if parsed_args.device:
            asked["device"] = refs.device(client, parsed_args.device)["uuid"]
        return client.items("/deployables", asked, limit=limit)


class DeployableShow(ShowCommand):
    """Show all about one deployable: attributes, handles."""

    columns: ClassVar[tuple[Column, ...]] = _ABOUT
    hidden = frozenset({"total"})

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which deployable."""
        parser = super().get_parser(prog_name)
        parser.add_argument("deployable", metavar="DEPLOYABLE", help="name, UUID, or its first four characters or more")
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the deployable."""
        return refs.deployable(client_of(self), parsed_args.deployable)
