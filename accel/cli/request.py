"""``accel request …``: list, show, create, bind, unbind, delete."""

import argparse
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from cliff.command import Command
from cliff.lister import Lister

from accel.cli import formats, human, profile, refs
from accel.cli.base import ListCommand, OurFormats, ShowCommand, client_of, headings, query, value
from accel.cli.client import Client, Item
from accel.cli.columns import Column, chosen, member, short_uuid
from accel.cli.deployable import handle_name
from accel.cli.errors import NothingFound, WrongState, WrongUse
from accel.model.request import HOLDING, RequestState

REF_HELP = "UUID, its first four characters or more, or the instance that has it"

_PATH = "/accelerator_requests"
_BOUND_BY = ("hostname", "device_rp_uuid", "instance_uuid")


def name(request: Item) -> str:
    """What to call a request in a sentence."""
    return f"{request['uuid'][:8]} ({request['device_profile_name']})"


def handle(request: Item) -> str | None:
    """What a request holds, as people write it; None where it holds nothing."""
    if not request["attach_handle_type"]:
        return None
    return f"{request['attach_handle_type']} {handle_name(request['attach_handle_info'])}"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _renamed(key: str, its_member: str) -> Column:
    """The column of a member whose name is OpenStack's, under ours."""
    return Column(key, lambda request: request[its_member])


_ABOUT = (
    short_uuid(),
    member("state"),
    _renamed("profile", "device_profile_name"),
    member("resource_class"),
    _renamed("node", "hostname"),
    Column("handle", handle),
    member("instance_uuid", lambda instance: instance[:8] if _is_uuid(instance) else instance),
    member("project_id"),
    member("reason"),
    _renamed("group_index", "device_profile_group_id"),
    member("group"),
    _renamed("rp_uuid", "device_rp_uuid"),
    _renamed("handle_type", "attach_handle_type"),
    _renamed("handle_uuid", "attach_handle_uuid"),
    _renamed("handle_info", "attach_handle_info"),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class RequestList(ListCommand):
    """List accelerator requests: who asked for what, who has what."""

    noun = "request"
    columns: ClassVar[tuple[Column, ...]] = _ABOUT
    shown = ("uuid", "state", "profile", "resource_class", "node", "handle", "instance_uuid")
    shown_long = (*shown, "project_id", "reason", "created_at", "updated_at")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which requests."""
        group = parser.add_argument_group("which requests")
        group.add_argument("--instance", metavar="INSTANCE", help="of this instance")
        group.add_argument("--state", choices=[str(state) for state in RequestState], help="in this state")
        group.add_argument("--profile", dest="device_profile_name", metavar="NAME", help="made from this profile")
        group.add_argument("--node", "--host", dest="hostname", metavar="NODE", help="bound to something on this node")
        group.add_argument("--project", dest="project_id", metavar="ID", help="that belong to this project")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the requests."""
        asked = query(parsed_args, ("instance", "state", "device_profile_name", "hostname", "project_id"))
        return client_of(self).items(_PATH, asked, limit=limit)


class RequestShow(ShowCommand):
    """Show all about one accelerator request."""

    columns: ClassVar[tuple[Column, ...]] = _ABOUT
    hidden = frozenset({"handle_type", "handle_info"})

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which request."""
        parser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="REQUEST", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the request."""
        return refs.request(client_of(self), parsed_args.request)


class _Change(OurFormats, Lister):
    """Changes requests and shows what they are then."""

    shown: ClassVar[Sequence[str]]
    """The keys of the columns of a table."""

    @abstractmethod
    def change(self, client: Client, parsed_args: argparse.Namespace) -> Sequence[Item]:
        """Change requests; gives what they are then."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Change them and select what to show."""
        is_table = parsed_args.formatter == formats.TABLE
        columns = chosen(_ABOUT, parsed_args.columns or (self.shown if is_table else [part.key for part in _ABOUT]))
        items = self.change(client_of(self), parsed_args)
        return headings(columns, parsed_args.formatter), [
            [value(column, item, parsed_args.formatter, is_long=False) for column in columns] for item in items
        ]


class RequestCreate(_Change):
    """Ask for what a device profile describes."""

    shown = ("uuid", "state", "profile", "resource_class")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which profile."""
        parser = super().get_parser(prog_name)
        parser.add_argument("profile", metavar="PROFILE", help=profile.REF_HELP)
        return parser

    def change(self, client: Client, parsed_args: argparse.Namespace) -> Sequence[Item]:
        """Make one request for each accelerator that the profile asks for."""
        wanted = refs.profile(client, parsed_args.profile)
        made: list[Item] = client.post(_PATH, {"device_profile_name": wanted["name"]})["arqs"]
        return made


class _Where(NamedTuple):
    """Where somebody wants a request to be bound."""

    option: str
    text: str


class RequestBind(_Change):
    """Give an instance what was asked for, all of it or nothing."""

    shown = ("uuid", "state", "node", "handle", "instance_uuid")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which requests, to what and for whom."""
        parser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="REQUEST", nargs="+", help=REF_HELP)
        group = parser.add_argument_group("to what", "one for all requests, or one for each in their order")
        for option, metavar, text in (
            ("deployable", "DEPLOYABLE", "by name, UUID, or its first four characters or more"),
            ("device", "DEVICE", "to the only part of this device; anything that `device show` takes"),
            ("provider", "UUID", "to the deployable with this provider in OpenStack Placement"),
        ):
            group.add_argument(
                f"--{option}",
                dest="where",
                action="append",
                type=partial(_Where, option),
                metavar=metavar,
                help=f"{text}; can be repeated",
            )
        group.add_argument(
            "--node", "--host", dest="node", metavar="NODE", help="where that must be (default: where it is)"
        )
        parser.add_argument("--instance", required=True, metavar="INSTANCE", help="the instance that gets it: its UUID")
        parser.add_argument("--project", metavar="ID", help="the project that the requests belong to from now on")
        return parser

    def change(self, client: Client, parsed_args: argparse.Namespace) -> Sequence[Item]:
        """Bind them."""
        requests = [refs.request(client, text) for text in parsed_args.request]
        where = parsed_args.where or []
        if len(where) not in {1, len(requests)}:
            raise WrongUse(
                f"{human.plural(len(requests), 'request')} and {human.plural(len(where), 'place')}: say --deployable, "
                "--device or --provider once for all requests, or once for each"
            )
        places = [_place(client, wanted, parsed_args.node) for wanted in where]
        by_request = zip(requests, places * len(requests) if len(places) == 1 else places, strict=True)
        more = {"instance_uuid": parsed_args.instance, "project_id": parsed_args.project}
        client.patch(_PATH, {item["uuid"]: _added({**place, **more}) for item, place in by_request})
        after = [client.get(f"{_PATH}/{item['uuid']}") for item in requests]
        failed = [f"{name(item)}: {item['reason']}" for item in after if item["state"] == RequestState.BIND_FAILED]
        if failed:
            raise WrongState("\n".join(["could not be made ready on the node:", *failed]))
        return after


class RequestUnbind(_Change):
    """Take back what an instance was given; the requests stay."""

    shown = ("uuid", "state", "profile", "resource_class")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which requests."""
        parser = super().get_parser(prog_name)
        add_requests(parser)
        return parser

    def change(self, client: Client, parsed_args: argparse.Namespace) -> Sequence[Item]:
        """Unbind them."""
        requests = named(client, parsed_args)
        removed = [{"path": f"/{key}", "op": "remove"} for key in _BOUND_BY]
        if requests:
            client.patch(_PATH, {item["uuid"]: removed for item in requests})
        return [client.get(f"{_PATH}/{item['uuid']}") for item in requests]


class RequestDelete(Command):
    """Delete accelerator requests, and free what they hold."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which requests."""
        parser = super().get_parser(prog_name)
        add_requests(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Delete them and say so."""
        client = client_of(self)
        requests = named(client, parsed_args)
        if parsed_args.instance:
            client.delete(_PATH, {"instance": parsed_args.instance})
        else:
            client.delete(_PATH, {"arqs": ",".join(item["uuid"] for item in requests)})
        for item in requests:
            self.app.stdout.write(f"{name(item)} {_end(client, item)}\n")
        if not requests:
            self.app.stdout.write(f"instance {parsed_args.instance} has no requests\n")
        return 0


def _end(client: Client, request: Item) -> str:
    """What has become of a request that was to be deleted."""
    if request["state"] in HOLDING:
        try:
            client.get(f"{_PATH}/{request['uuid']}")
        except NothingFound:
            pass
        else:
            return "is being deleted: something is to be undone on its node first"
    return "is deleted"


def _place(client: Client, where: _Where, node: str | None) -> Item:
    """Node and provider of a place, as the API wants them.

    :param node: what somebody says; None for the one that the place is on
    """
    if where.option == "provider" and node:
        return {"hostname": node, "device_rp_uuid": where.text}
    found = _FINDERS[where.option](client, where.text)
    return {"hostname": node or found["node"], "device_rp_uuid": found["rp_uuid"]}


def _of_device(client: Client, text: str) -> Item:
    device = refs.device(client, text)
    parts = [part for part in client.items("/deployables", {"device": device["uuid"]}) if part["handles"]]
    if len(parts) == 1:
        return parts[0]
    names = "\n".join(f"  --deployable {part['name']}" for part in parts)
    raise WrongUse(
        f"--device {text} has several parts; say which:\n{names}" if parts else f"--device {text} has no parts"
    )


def _of_provider(client: Client, text: str) -> Item:
    found = {part["node"]: part for part in client.items("/deployables", {"rp_uuid": text})}
    if not found:
        raise NothingFound(f"there is no deployable with provider {text}")
    if len(found) > 1:
        raise WrongUse(f"provider {text} is on several nodes; say which: --node {', --node '.join(sorted(found))}")
    return found.popitem()[1]


_FINDERS = {"deployable": refs.deployable, "device": _of_device, "provider": _of_provider}


def _added(values: Item) -> list[Item]:
    return [{"path": f"/{key}", "op": "add", "value": given} for key, given in values.items() if given is not None]


def add_requests(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which requests."""
    parser.add_argument("request", metavar="REQUEST", nargs="*", help=REF_HELP)
    parser.add_argument("--instance", metavar="INSTANCE", help="all requests of this instance")


def named(client: Client, parsed_args: argparse.Namespace) -> list[Item]:
    """The requests that the arguments name.

    :raises WrongUse: they name none, or in two ways
    :raises NothingFound: there is no such request
    """
    if bool(parsed_args.request) is bool(parsed_args.instance):
        raise WrongUse("say which requests: REQUEST, as many as you like, or --instance INSTANCE")
    if parsed_args.instance:
        return list(client.items(_PATH, {"instance": parsed_args.instance}))
    return [refs.request(client, text) for text in parsed_args.request]
