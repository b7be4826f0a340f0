"""``accel claim …``: take accelerators wherever they fit; list, show, renew and release what was taken."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from cliff.command import Command
from cliff.show import ShowOne

from accel.cli import candidate, formats, human, refs, wanted
from accel.cli.base import ListCommand, OurFormats, ShowCommand, app_of, client_of, headings, query, value
from accel.cli.client import Client, Item
from accel.cli.columns import Column, chosen, member, short_uuid
from accel.cli.deployable import handle_name
from accel.cli.errors import WrongUse
from accel.cli.patience import until_it_fits

REF_HELP = "UUID, its first four characters or more, or the consumer that it is for"

_PATH = "/placements/claims"
_FOR_EVER = timedelta.max


def name(claim: Item) -> str:
    """What to call a claim in a sentence."""
    return f"{claim['uuid'][:8]} ({claim['consumer']})" if claim["consumer"] else str(claim["uuid"][:8])


def expiry(claim: Item) -> str:
    """When a claim ends."""
    return f"{human.clock(claim['expires_at'])} unless renewed" if claim["expires_at"] else "it is released"


def _allocation(allocation: Item) -> str:
    what = f"{allocation['attach_handle_type']} {handle_name(allocation['attach_handle_info'])}"
    held = f"{allocation['node']} {what}" if allocation["attach_handle_type"] else allocation["resource_class"]
    return f"{held}: {allocation['problem']}" if allocation["problem"] else held


def _lease(seconds: int) -> str:
    return str(timedelta(seconds=seconds))


_ABOUT = (
    short_uuid(),
    member("consumer"),
    member("state"),
    member("nodes"),
    Column("accelerators", lambda claim: len(claim["allocations"])),
    member("allocations", lambda allocations: "\n".join(sorted(map(_allocation, allocations)))),
    member("request", wanted.text),
    member("lease_seconds", _lease),
    member("expires_at", human.clock),
    member("idempotency_key"),
    member("project_id"),
    member("user_id"),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


_KEYS = tuple(column.key for column in _ABOUT)
_MADE = ("uuid", "consumer", "state", "allocations", "expires_at")
"""What a table shows of a claim that was just made."""


class _Asking(OurFormats, ShowOne):
    """Asks for a place, again and again if it shall."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is wanted."""
        parser = super().get_parser(prog_name)
        wanted.add_options(parser)
        return parser

    def patiently(self, attempt: Callable[[], Item], *, limit: timedelta) -> Item:
        """What an attempt gives that finds a place.

        :param limit: how long to go on
        :raises NoAnswerInTime: no attempt does
        """
        return until_it_fits(attempt, limit=limit, wait=app_of(self).wait, tell=self._tell)

    def _tell(self, text: str) -> None:
        self.app.stderr.write(f"{text}\n")
        self.app.stderr.flush()


class Claim(_Asking):
    """Take accelerators, wherever they fit; all or nothing."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add for whom and for how long."""
        parser = super().get_parser(prog_name)
        how = parser.add_argument_group("how")
        how.add_argument("--consumer", metavar="NAME", help="what it is for, as you call it")
        how.add_argument(
            "--lease",
            metavar="DURATION",
            type=_duration,
            help="give it back after so long unless renewed: 10m, 1h30m",
        )
        how.add_argument("--key", metavar="KEY", help="the same request with the same key is the same claim")
        how.add_argument(
            "--dry-run", action="store_true", help="take nothing; show what would be taken, and its scores"
        )
        how.add_argument(
            "--wait",
            metavar="DURATION",
            nargs="?",
            type=_duration,
            const=_FOR_EVER,
            help="try again as long as it fits nowhere, for so long (default: until interrupted)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Take it, or show what would be taken."""
        client = client_of(self)
        question = wanted.question(parsed_args, client)
        body = {**question, **_terms(parsed_args)}

        def attempt() -> Item:
            return candidate.best(client, question) if parsed_args.dry_run else client.post(_PATH, body)

        found = attempt() if parsed_args.wait is None else self.patiently(attempt, limit=parsed_args.wait)
        return candidate.cells(found, parsed_args) if parsed_args.dry_run else _cells(found, parsed_args)


class ClaimWait(_Asking):
    """Wait until something would fit, and show where."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add for how long."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--for", dest="wait", metavar="DURATION", type=_duration, default=_FOR_EVER, help="give up after so long"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Ask until there is a place."""
        client = client_of(self)
        question = wanted.question(parsed_args, client)
        found = self.patiently(lambda: candidate.best(client, question), limit=parsed_args.wait)
        return candidate.cells(found, parsed_args)


class ClaimList(ListCommand):
    """List claims: what was taken in one go, for what, until when."""

    noun = "claim"
    columns: ClassVar[tuple[Column, ...]] = _ABOUT
    shown = ("uuid", "consumer", "state", "nodes", "accelerators", "expires_at", "request")
    shown_long = (*shown[:-1], "project_id", "user_id", "created_at", "idempotency_key", "request")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which claims."""
        group = parser.add_argument_group("which claims")
        group.add_argument("--consumer", metavar="NAME", help="for this consumer")
        group.add_argument("--node", metavar="NODE", help="with something on this node")
        group.add_argument("--key", dest="idempotency_key", metavar="KEY", help="made with this key")
        group.add_argument("--project", dest="project_id", metavar="ID", help="that belong to this project")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the claims."""
        asked = query(parsed_args, ("consumer", "node", "idempotency_key", "project_id"))
        return client_of(self).items(_PATH, asked, limit=limit)


class ClaimShow(ShowCommand):
    """Show all about one claim."""

    columns: ClassVar[tuple[Column, ...]] = _ABOUT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which claim."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claim", metavar="CLAIM", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the claim."""
        return refs.claim(client_of(self), parsed_args.claim)


class ClaimRenew(Command):
    """Hold claims for longer: a lease begins anew."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which claims and for how long."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claim", metavar="CLAIM", nargs="+", help=REF_HELP)
        parser.add_argument(
            "--lease", metavar="DURATION", type=_duration, help="for so long from now on (default: as long as before)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Renew them and say until when they are held."""
        client = client_of(self)
        for claim in _named(client, parsed_args):
            after = client.post(f"{_PATH}/{claim['uuid']}/renew", _lease_of(parsed_args))
            self.app.stdout.write(f"{name(after)} is held until {expiry(after)}\n")
        return 0


class ClaimRelease(Command):
    """Give back all that claims hold."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which claims."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claim", metavar="CLAIM", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Release them and say so."""
        client = client_of(self)
        for claim in _named(client, parsed_args):
            client.delete(f"{_PATH}/{claim['uuid']}", {})
            self.app.stdout.write(f"{name(claim)} is released\n")
        return 0


def _cells(claim: Item, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
    is_short = parsed_args.formatter == formats.TABLE and not parsed_args.columns
    columns = chosen(_ABOUT, parsed_args.columns or (_MADE if is_short else _KEYS))
    if is_short:
        columns = [column for column in columns if column.cell(claim) != "-"]
    return headings(columns, parsed_args.formatter), [
        value(column, claim, parsed_args.formatter, is_long=True) for column in columns
    ]


def _named(client: Client, parsed_args: argparse.Namespace) -> list[Item]:
    """The claims that the arguments name: all are found before anything is done with one of them."""
    found = [refs.claim(client, text) for text in parsed_args.claim]
    return list({claim["uuid"]: claim for claim in found}.values())


def _terms(parsed_args: argparse.Namespace) -> Item:
    given = {"consumer": parsed_args.consumer, "idempotency_key": parsed_args.key, **_lease_of(parsed_args)}
    return {key: text for key, text in given.items() if text is not None}


def _lease_of(parsed_args: argparse.Namespace) -> Item:
    return {} if parsed_args.lease is None else {"lease_seconds": int(parsed_args.lease.total_seconds())}


def _duration(text: str) -> timedelta:
    """A duration of a second or more, as argparse wants to be told."""
    try:
        found = human.duration(text)
    except WrongUse as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if found < timedelta(seconds=1):
        raise argparse.ArgumentTypeError(f"{text!r} is shorter than a second")
    return found
