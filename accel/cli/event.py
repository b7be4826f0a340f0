"""``accel event list``: the history, and what happens now."""

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from accel.cli import formats, human, refs
from accel.cli.base import ListCommand, app_of, client_of, query
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member, short_uuid
from accel.cli.errors import CommandFailed, WrongUse
from accel.cli.event_text import change, told
from accel.cli.follow import OVERLAP, Unseen

FOLLOW_SECONDS = 0.5
_BEFORE_FOLLOWING = 10
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class EventList(ListCommand):
    """List what happened, the newest last; or follow it."""

    noun = "event"
    keeps_last = True
    columns: ClassVar[tuple[Column, ...]] = (
        member("occurred_at"),
        member("kind"),
        member("node"),
        Column("subject", lambda event: event["subject"], told),
        Column("change", change),
        member("before"),
        member("after"),
        short_uuid("device_uuid"),
        member("source"),
        member("request_id"),
        member("project_id"),
        short_uuid(),
        Column("time", lambda event: event["occurred_at"], lambda event: human.clock(event["occurred_at"])),
    )
    shown = ("time", "kind", "node", "subject")
    shown_long = ("time", "kind", "node", "source", "device_uuid", "uuid", "subject")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which events, and whether to go on."""
        group = parser.add_argument_group("which events")
        group.add_argument(
            "--device", help="of this device (anything that `device show` takes, or the UUID of a gone one)"
        )
        group.add_argument("--request", help="of this accelerator request (anything that `request show` takes)")
        group.add_argument("--node", help="of this node")
        group.add_argument("--kind", help="of this kind: device.lost, node.offline, request.bound")
        group.add_argument("--project", dest="project_id", metavar="ID", help="that concern this project alone")
        group.add_argument(
            "--since", metavar="WHEN", help="since so long ago (10m, 2h, 1d), or since then (2026-11-21T10:00)"
        )
        group.add_argument("--until", metavar="WHEN", help="before so long ago, or before then")
        parser.add_argument(
            "--follow", action="store_true", help=f"show the last {_BEFORE_FOLLOWING} and go on; Ctrl-C ends"
        )

    def run(self, parsed_args: argparse.Namespace) -> int:
        """List, or list and go on."""
        if not parsed_args.follow:
            return super().run(parsed_args)
        if parsed_args.watch is not None or parsed_args.until:
            raise WrongUse("--follow goes with neither --watch nor --until")
        if parsed_args.formatter not in {"table", "json"}:
            raise WrongUse(f"--follow writes lines of text, or of JSON with -f json; not -f {parsed_args.formatter}")
        try:
            self._follow(parsed_args)
        except KeyboardInterrupt:
            return 0

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the newest of the events, and put the newest last."""
        newest_first = client_of(self).items("/events", {**self._query(parsed_args), "sort_dir": "desc"}, limit=limit)
        return reversed(list(newest_first))

    def _query(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        now = datetime.now(UTC)
        asked = query(parsed_args, ("node", "kind", "project_id"))
        for name in ("since", "until"):
            if given := getattr(parsed_args, name):
                asked[name] = human.moment(given, now=now).isoformat()
        if parsed_args.device:
            asked["device"] = self._uuid(parsed_args.device, refs.device)
        if parsed_args.request:
            asked["subject"] = self._uuid(parsed_args.request, refs.request)
        return asked

    def _uuid(self, text: str, find: Callable[[Client, str], Item]) -> str:
        """The UUID of a thing. A whole one is taken as it is: the thing may be gone and have a history."""
        return text.lower() if _UUID.fullmatch(text) else str(find(client_of(self), text)["uuid"])

    def _follow(self, parsed_args: argparse.Namespace) -> NoReturn:
        client, unseen, asked = client_of(self), Unseen(), self._query(parsed_args)
        count = parsed_args.limit or (None if parsed_args.since or parsed_args.all else _BEFORE_FOLLOWING)
        newest_first = client.items("/events", {**asked, "sort_dir": "desc"})
        before = unseen.take(recent(newest_first, count))
        self._write(parsed_args, before if count is None else before[-count:])
        is_away = False
        while True:
            app_of(self).wait(FOLLOW_SECONDS)
            try:
                self._write(parsed_args, unseen.take(client.items("/events", {**asked, **_not_before(asked, unseen)})))
            except CommandFailed as error:
                if not is_away:
                    self.tell(f"{str(error).splitlines()[0]}; trying again")
                is_away = True
            else:
                is_away = False

    def _write(self, parsed_args: argparse.Namespace, events: Iterable[Item]) -> None:
        for event in events:
            if parsed_args.formatter == formats.TABLE:
                self.app.stdout.write(line(event))
            else:
                record = {column.key: column.raw(event) for column in self.selected(parsed_args)}
                self.app.stdout.write(json.dumps(record) + "\n")
        self.app.stdout.flush()


def _not_before(asked: Mapping[str, Any], unseen: Unseen) -> dict[str, str]:
    """From when on to ask again: the overlap, but nothing that was not asked for in the first place."""
    given = [datetime.fromisoformat(asked["since"])] if "since" in asked else []
    known = [unseen.since] if unseen.since else []
    return {"since": max(given + known).isoformat()} if given or known else {}


def recent(newest_first: Iterable[Item], count: int | None) -> list[Item]:
    """The newest events, the newest last: so many, and whatever else is within the overlap before the newest.

    :param count: None for all
    """
    taken: list[Item] = []
    until = None
    for event in newest_first:
        moment = human.parse_moment(event["occurred_at"])
        until = until or moment - OVERLAP
        if count is not None and len(taken) >= count and moment < until:
            break
        taken.append(event)
    return taken[::-1]


def line(event: Item) -> str:
    """An event as a line of text."""
    return f"{human.clock(event['occurred_at'])}  {event['kind']:18}  {event['node'] or '-':12}  {told(event)}\n"
