"""``accel job …``: what is done to devices on their nodes: list, show, wait for, cancel, do again, lift."""

import argparse
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from cliff.command import Command
from cliff.show import ShowOne

from accel.cli import human, refs
from accel.cli.base import ListCommand, OurFormats, ShowCommand, app_of, client_of, headings, query, value
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member, short_uuid
from accel.cli.errors import CommandFailed, NoAnswerInTime
from accel.cli.progress import Progress

PAUSE_SECONDS = 1.0
REF_HELP = "UUID, or its first four characters or more"
_ENDED = ("done", "failed", "cancelled")
_PATH = "/jobs"


def _percent(fraction: float) -> str:
    return f"{fraction:.0%}"


def _error(error: Item) -> str:
    return f"{error['text']} ({error['code']})"


def _what(job: Item) -> str:
    """What is told of a job in one cell: its failure, or what it is at."""
    return _error(job["error"]) if job["error"] else str(job["message"])


_ABOUT = (
    short_uuid(),
    member("kind"),
    member("state"),
    member("fraction", _percent),
    member("message"),
    member("error", _error),
    member("cancelled_by"),
    member("must_go_on"),
    member("node"),
    member("device_uuid"),
    member("deployable_name"),
    member("deployable_uuid"),
    member("attach_handle_uuid"),
    member("accelerator_request"),
    member("arguments"),
    member("image"),
    member("fenced"),
    member("is_state_unknown"),
    member("project_id"),
    member("time_limit_seconds"),
    member("deadline_at", human.clock),
    member("created_at", human.ago),
    member("started_at", human.ago),
    member("finished_at", human.ago),
)
_WHAT = Column("what", _what)


class JobList(ListCommand):
    """List jobs: what is done to devices, and how it goes."""

    noun = "job"
    keeps_last = True
    columns: ClassVar[tuple[Column, ...]] = (*_ABOUT, _WHAT)
    shown = ("uuid", "kind", "state", "fraction", "node", "deployable_name", "fenced", "created_at", "what")
    shown_long = (*shown[:-1], "device_uuid", "accelerator_request", "project_id", "finished_at", "what")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which jobs."""
        group = parser.add_argument_group("which jobs")
        group.add_argument("--kind", metavar="KIND", help="of this kind: program, partition, scrub …")
        group.add_argument("--state", metavar="STATE", help="in this state: queued, running, done, failed, cancelled")
        group.add_argument("--node", metavar="NODE", help="on this node")
        group.add_argument("--device", metavar="DEVICE", help="on this device")
        group.add_argument("--request", metavar="UUID", help="that serve this accelerator request")
        group.add_argument("--project", dest="project_id", metavar="ID", help="that are this project's affair")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the jobs."""
        client = client_of(self)
        asked = query(parsed_args, ("kind", "state", "node", "request", "project_id"))
        if parsed_args.device:
            asked["device"] = refs.device(client, parsed_args.device)["uuid"]
        return client.items(_PATH, asked, limit=limit)


class JobShow(ShowCommand):
    """Show all about one job."""

    columns: ClassVar[tuple[Column, ...]] = _ABOUT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which job."""
        parser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="JOB", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the job."""
        return refs.job(client_of(self), parsed_args.job)


class JobWait(OurFormats, ShowOne):
    """Wait for the end of a job, and show it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which job and for how long."""
        parser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="JOB", help=REF_HELP)
        parser.add_argument(
            "--for",
            dest="wait",
            metavar="DURATION",
            type=human.duration,
            default=timedelta.max,
            help="give up after so long: 90s, 10m (default: wait until it has ended)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Ask until it has ended; what has failed is an error."""
        client = client_of(self)
        job = until_ended(self, client, refs.job(client, parsed_args.job), parsed_args.wait)
        columns = [column for column in _ABOUT if column.cell(job) != "-"]
        return headings(columns, parsed_args.formatter), [
            value(column, job, parsed_args.formatter, is_long=True) for column in columns
        ]


def until_ended(command: Command, client: Client, job: Item, limit: timedelta) -> Item:
    """A job at its end; meanwhile a terminal shows how it goes.

    :param limit: how long to wait
    :raises NoAnswerInTime: it has not ended by then
    :raises CommandFailed: it has failed
    """
    progress = Progress(command.app.stderr)
    waited, seconds = 0.0, limit.total_seconds()
    while job["state"] not in _ENDED:
        show = progress.of(f"{job['kind']} {job['state']}: {job['message'] or job['node']}")
        show(round(100 * (job["fraction"] or 0)), 100)
        if waited >= seconds:
            progress.clear()
            text = f"job {job['uuid'][:8]} is {job['state']} after {seconds:g} s; it goes on: {job['message']}"
            raise NoAnswerInTime(text.removesuffix(": "))
        pause = min(PAUSE_SECONDS, seconds - waited)
        app_of(command).wait(pause)
        waited += pause
        job = client.get(f"{_PATH}/{job['uuid']}")
    progress.clear()
    if job["error"]:
        how = f"was cancelled by {job['cancelled_by']}" if job["state"] == "cancelled" else "has failed"
        raise CommandFailed(f"job {job['uuid'][:8]} {how}: {_error(job['error'])}")
    return job


class _Act(Command):
    """Does something with jobs, and says so."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which jobs."""
        parser = super().get_parser(prog_name)
        parser.add_argument("job", metavar="JOB", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Do it with one after the other: all are found before anything is done with one of them."""
        client = client_of(self)
        found = {job["uuid"]: job for job in [refs.job(client, text) for text in parsed_args.job]}
        for job in found.values():
            self.app.stdout.write(f"{self.done(client, job)}\n")
        return 0

    def done(self, client: Client, job: Item) -> str:
        """Do it with one; gives what to say."""
        raise NotImplementedError


class JobCancel(_Act):
    """Cancel jobs; what is under way is stopped where it can be."""

    def done(self, client: Client, job: Item) -> str:
        """Cancel it."""
        client.delete(f"{_PATH}/{job['uuid']}", {})
        after = client.get(f"{_PATH}/{job['uuid']}")
        stops = "is stopped" if after["state"] == "running" else "is cancelled"
        goes_on = "" if after["state"] in _ENDED else f", and {stops} as soon as its node hears of it"
        return f"job {job['uuid'][:8]} is {after['state']}{goes_on}"


class JobRetry(_Act):
    """Do again what has failed."""

    def done(self, client: Client, job: Item) -> str:
        """Order it again."""
        new = client.post(f"{_PATH}/{job['uuid']}/retry", {})
        return f"job {job['uuid'][:8]} is done again as {new['uuid']}"


class JobLift(_Act):
    """Offer again what failed jobs have left fenced."""

    def done(self, client: Client, job: Item) -> str:
        """Lift it."""
        client.post(f"{_PATH}/{job['uuid']}/lift", {})
        return f"job {job['uuid'][:8]} fences nothing any more: {job['fenced']} attach handles are offered again"
