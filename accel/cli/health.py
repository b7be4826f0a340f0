"""``accel health``: what is the matter with devices, by whom it is said and since when."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from accel.cli import human, refs
from accel.cli.base import ListCommand, client_of, query
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member, short_uuid

_VALUES = ("healthy", "unhealthy", "unknown")
_PRESENCE = "presence"
_DRIVER = "driver"
"""What stands for the source where no signal says what the matter is."""


class HealthList(ListCommand):
    """List what is the matter with devices."""

    noun = "signal"
    columns: ClassVar[tuple[Column, ...]] = (
        short_uuid(),
        member("node"),
        member("address"),
        member("type"),
        member("model"),
        member("health"),
        member("source"),
        member("value"),
        member("at", human.ago),
        member("count"),
        member("text"),
        member("reason"),
        member("presence"),
    )
    order = ("node", "address", "source")
    shown = ("uuid", "node", "address", "model", "source", "value", "at", "text")
    shown_long = (*shown[:4], "type", "presence", "health", *shown[4:])

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say what of which devices."""
        group = parser.add_argument_group("which signals")
        group.add_argument("--device", help="of this device: anything that `device show` takes")
        group.add_argument("--node", help="of the devices on this node")
        group.add_argument("--type", help="of devices of this type: GPU, FPGA, NVME …", type=str.upper)
        group.add_argument("--source", help="from this source: pcie.aer, pcie.link, temperature, nvml.xid …")
        group.add_argument("--value", choices=_VALUES, help="that say this")
        group.add_argument("--all-signals", action="store_true", help="also those that say that all is well")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the health of devices, and make a row of each signal that is asked for."""
        client = client_of(self)
        asked = query(parsed_args, ("node", "type", "source", "value"))
        shows_all = parsed_args.all_signals or parsed_args.value is not None
        if not shows_all:
            asked["complaints"] = "true"
        found = self._devices(client, parsed_args.device, asked)
        rows = (row for device in found for row in _rows(device))
        wanted = (row for row in rows if _is_wanted(row, parsed_args, shows_all=shows_all))
        return wanted if limit is None else (row for _, row in zip(range(limit), wanted, strict=False))

    def _devices(self, client: Client, device: str | None, asked: dict[str, Any]) -> Iterable[Item]:
        if device is None:
            return client.items("/health", {"sort_key": "node", **asked})
        return [client.get(f"/health/{refs.device(client, device)['uuid']}")]


def _is_wanted(row: Item, parsed_args: argparse.Namespace, *, shows_all: bool) -> bool:
    if not shows_all and row["value"] == "healthy":
        return False
    return all(
        wanted is None or row[name] == wanted
        for name, wanted in (("source", parsed_args.source), ("value", parsed_args.value))
    )


def _rows(device: Item) -> Iterator[Item]:
    """A row for each signal, and one for what no signal says: that a device is lost, or unfit by its driver's word."""
    about = {name: value for name, value in device.items() if name not in ("signals", "lost_at")}
    nothing = {"count": None, "at": None}
    if device["presence"] == "lost":
        yield {
            **about,
            **nothing,
            "source": _PRESENCE,
            "value": "unknown",
            "text": device["reason"],
            "at": device["lost_at"],
        }
        return
    for signal in device["signals"]:
        yield {**about, **signal}
    if device["health"] != "healthy" and all(one["value"] != "unhealthy" for one in device["signals"]):
        yield {**about, **nothing, "source": _DRIVER, "value": device["health"], "text": device["reason"]}


def lines(device: Item) -> str:
    """The signals of a device, one on each line."""
    return "\n".join(
        f"{one['source']}: {one['value']}, {one['text'] or 'nothing more is said'} ({human.ago(one['at'])})"
        for one in device["signals"]
    )
