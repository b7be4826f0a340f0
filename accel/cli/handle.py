"""``accel handle list`` and ``accel who``: what can be handed out, who has it, and why nobody can have it."""

import argparse
from collections.abc import Iterable
from typing import Any, ClassVar, TextIO

from accel.cli import deployable, human, refs
from accel.cli.base import ListCommand, client_of, query, row_limit
from accel.cli.client import Item
from accel.cli.columns import Column, chosen, member, ordered, short_uuid
from accel.cli.device import REF_HELP
from accel.cli.formats import TABLE
from accel.model.device import HandleType

_FILTERS = ("node", "type", "presence", "is_free", "is_held")


def who(handle: Item) -> str:
    """Who has an attach handle, or that it is free, or why nobody can have it."""
    if handle["is_free"]:
        return "free"
    if handle["holder"] is None:
        return f"nobody can have it: {handle['why_not']}"
    return _told(handle["holder"])


def sentence(handle: Item) -> str:
    """The same about a handle that is named, with since when, and what is the matter with what somebody has."""
    said = f"{handle['type']} {deployable.handle_name(handle['info'])} on {handle['node']} ({handle['uuid'][:8]}): "
    said += who(handle)
    if (held_for := _held_for(handle)) is not None:
        said += f", for {held_for}"
    return f"{said}; {handle['why_not']}" if handle["holder"] and handle["why_not"] else said


def _told(holder: Item) -> str:
    if holder["uuid"] is None:
        return f"another project's {holder['kind']}"
    told = [f"{holder['kind']} {holder['name']}"]
    told += [f"of project {holder['project_id']}"] if holder["project_id"] else []
    told += [f"by request {holder['request_uuid'][:8]}"] if holder["request_uuid"] else []
    return " ".join(told)


def _of_holder(key: str, name: str) -> Column:
    return Column(name, lambda handle: None if handle["holder"] is None else handle["holder"][key])


def _held_for(handle: Item) -> str | None:
    since = (handle["holder"] or {}).get("since")
    return human.age(since) if since else None


_COLUMNS = (
    short_uuid(),
    member("node"),
    member("type"),
    member("info", deployable.handle_name),
    Column("who", who),
    Column("held_since", _of_holder("since", "held_since").raw, _held_for),
    member("is_free"),
    member("why_not"),
    _of_holder("kind", "holder_kind"),
    _of_holder("name", "holder_name"),
    _of_holder("project_id", "holder_project_id"),
    _of_holder("uuid", "holder_uuid"),
    _of_holder("request_uuid", "request_uuid"),
    member("presence"),
    short_uuid("device_uuid"),
    member("deployable_name"),
    short_uuid("deployable_uuid"),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class _Handles(ListCommand):
    noun = "handle"
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    order = ("node", "deployable_name")
    shown = ("uuid", "node", "type", "info", "who", "held_since")
    shown_long = (
        "uuid",
        "node",
        "type",
        "info",
        "deployable_name",
        "device_uuid",
        "who",
        "request_uuid",
        "held_since",
    )


class HandleList(_Handles):
    """List what can be handed out, and who has it."""

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which handles."""
        group = parser.add_argument_group("which handles")
        group.add_argument("--device", help="of this device (anything that `device show` takes)")
        group.add_argument("--node", help="on this node")
        group.add_argument("--type", type=str.upper, help=f"of this type: {', '.join(HandleType)}")
        group.add_argument("--presence", choices=("present", "lost"), help="that are there, or were there and are lost")
        state = group.add_mutually_exclusive_group()
        state.add_argument("--free", dest="is_free", action="store_const", const="true", help="that can be had now")
        state.add_argument("--held", dest="is_held", action="store_const", const="true", help="that somebody has")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the handles."""
        client = client_of(self)
        asked: dict[str, Any] = {"sort_key": "node", **query(parsed_args, _FILTERS)}
        if parsed_args.device:
            asked["device_uuid"] = refs.device(client, parsed_args.device)["uuid"]
        return client.items("/attach_handles", asked, limit=limit)


class Who(_Handles):
    """Say who has a handle or a device, or that it is free."""

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add what somebody may have."""
        parser.add_argument(
            "what",
            metavar="HANDLE|DEVICE",
            help=f"a handle, by its UUID, its PCI address, MIG UUID or path, or a device: {REF_HELP}",
        )

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the handle, or the handles of the device."""
        return refs.handles(client_of(self), parsed_args.what, limit=limit)

    def _emit(self, parsed_args: argparse.Namespace, stream: TextIO) -> None:
        """Write a sentence for each handle where a table is not asked for by its columns."""
        if parsed_args.formatter != TABLE or parsed_args.columns or parsed_args.long:
            super()._emit(parsed_args, stream)
            return
        found = list(self.fetch(parsed_args, limit=row_limit(parsed_args)))
        self._note = "" if found else "nothing of it can be handed out: it has no handles"
        stream.writelines(f"{sentence(handle)}\n" for handle in ordered(found, chosen(self.columns, self.order)))
