"""``accel attach-spec REQUEST``: what a hypervisor or a container engine needs to attach what requests hold."""

import argparse
import json
from typing import Any, NamedTuple

from cliff.command import Command

from accel.cli import attachment, request
from accel.cli.attachment import Card, Handle
from accel.cli.base import client_of
from accel.cli.client import Client, Item
from accel.cli.errors import NotAuthorised, NothingFound, WrongState

_JSON = "json"


class _Held(NamedTuple):
    """What a request holds, and all that is known of it."""

    request: Item
    handle: Handle
    device: Item | None


class AttachSpec(Command):
    """Show how to attach what requests hold to a workload."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which requests, and for whom."""
        parser = super().get_parser(prog_name)
        request.add_requests(parser)
        parser.add_argument(
            "-f",
            "--format",
            dest="formatter",
            choices=[*attachment.FORMATS, _JSON],
            default=_JSON,
            help="what it is for; json has all that is known (default)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Show it."""
        client = client_of(self)
        asked = request.named(client, parsed_args)
        if not asked:
            raise NothingFound(f"instance {parsed_args.instance} has no requests")
        found = [_held(client, item) for item in asked]
        if parsed_args.formatter == _JSON:
            text = json.dumps([_everything(held) for held in found], indent=2)
        else:
            text = attachment.write([held.handle for held in found], parsed_args.formatter)
        self.app.stdout.write(f"{text}\n")
        return 0


def _held(client: Client, asked: Item) -> _Held:
    if not asked["attach_handle_type"]:
        raise WrongState(f"request {request.name(asked)} is {asked['state']} and holds nothing: bind it first")
    device = _device(client, asked)
    card = None
    if device is not None:
        card = Card(**{key: device[key] for key in ("identity", "vendor", "address", "kernel_driver")})
    handle = Handle(
        uuid=asked["attach_handle_uuid"],
        type=asked["attach_handle_type"],
        info=asked["attach_handle_info"],
        card=card,
    )
    return _Held(asked, handle, device)


def _device(client: Client, asked: Item) -> Item | None:
    """The device that a request holds something of; None where the caller may not see devices."""
    try:
        found = client.get(f"/attach_handles/{asked['attach_handle_uuid']}")
        return client.get(f"/devices/{found['device_uuid']}")
    except NotAuthorised:
        return None


def _everything(held: _Held) -> dict[str, Any]:
    asked, handle, device = held
    texts, reasons = attachment.every([handle])
    return {
        "request": {key: asked[key] for key in ("uuid", "state", "instance_uuid", "project_id")},
        "node": asked["hostname"],
        "handle": {"uuid": handle.uuid, "type": handle.type, "info": dict(handle.info)},
        "device": device and {key: device[key] for key in ("uuid", "model", "identity", "address", "kernel_driver")},
        "formats": texts,
        "unsuitable": reasons,
    }
