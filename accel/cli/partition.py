"""``accel partition``: how devices come to be cut as it is wanted, told step by step."""

import argparse
from collections.abc import Mapping
from typing import Any, ClassVar, TextIO

from accel.cli import formats, refs
from accel.cli.base import ShowCommand, client_of
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member
from accel.cli.errors import NoPlacement, WrongState, WrongUse
from accel.errors import InvalidValue
from accel.model.partition import layout_text, read_layout

_PATH = "/partition/plan"


class PartitionPlan(ShowCommand):
    """Show how devices would be cut, and who is in the way."""

    columns: ClassVar[tuple[Column, ...]] = tuple(member(key) for key in ("plans", "demand"))

    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is wanted."""
        parser = super().get_parser(prog_name)
        add_options(parser)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Ask."""
        answer = ask(parsed_args, client_of(self))
        self._exit_code = exit_code(answer)
        return answer

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Tell each plan; the other formats have the parts."""
        if parsed_args.formatter != formats.TABLE or parsed_args.columns:
            super().run(parsed_args)
        else:
            draw(self.fetch(parsed_args), self.app.stdout, parsed_args)
        return self._exit_code


class PartitionApply(ShowCommand):
    """Have devices cut as a plan says, each by a job."""

    columns: ClassVar[tuple[Column, ...]] = (member("jobs"),)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is wanted."""
        parser = super().get_parser(prog_name)
        add_options(parser)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Plan, and have done what is to be done.

        :raises NoPlacement: it cannot be
        :raises WrongState: it cannot be now
        """
        client = client_of(self)
        answer = ask(parsed_args, client)
        _check(answer)
        changes = [
            {"device_uuid": plan["device_uuid"], "layout": plan["layout"]}
            for plan in answer["plans"]
            if not plan["nothing_to_do"]
        ]
        return client.post("/partition/apply", {"changes": changes}) if changes else {"jobs": []}

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Tell which jobs were ordered; the other formats have them as the API gives them."""
        if parsed_args.formatter != formats.TABLE or parsed_args.columns:
            return int(super().run(parsed_args) or 0)
        out, jobs = self.app.stdout, self.fetch(parsed_args)["jobs"]
        out.writelines(f"Job {job['uuid']} cuts {job['device']}\n" for job in jobs)
        if jobs:
            out.write(f"How it goes: accel job wait {jobs[0]['uuid'][:8]}\n")
        else:
            out.write("Nothing is to be done: it is so already.\n")
        return 0


def _check(answer: Mapping[str, Any]) -> None:
    for plan in answer["plans"]:
        if not plan["possible"]:
            raise NoPlacement(plan["text"])
        if not plan["applicable"] and not plan["nothing_to_do"]:
            raise WrongState(plan["text"])
    missing = answer["demand"]["missing"] if answer["demand"] else {}
    if missing:
        raise NoPlacement(f"No device gives {layout_text(missing)} besides what is free and what could be made.")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is wanted."""
    wanted = parser.add_argument_group("what is wanted: a layout of one device, or a demand of a pool")
    wanted.add_argument("--device", metavar="DEVICE", help="UUID or its beginning, PCI address, node/address …")
    wanted.add_argument(
        "--layout",
        action="append",
        metavar="PROFILE=NUMBER",
        help="how many parts of which profile the device is to have, all of them; can be repeated; whole: none",
    )
    wanted.add_argument(
        "--demand",
        action="append",
        metavar="PROFILE=NUMBER",
        help="how many free parts of which profile are wanted; can be repeated",
    )
    wanted.add_argument("--node", metavar="NAME", help="of the devices of this node only")
    wanted.add_argument("--model", metavar="MODEL", help="of the devices of this model only")


def ask(parsed_args: argparse.Namespace, client: Client) -> Item:
    """Have it planned.

    :raises WrongUse: neither a layout nor a demand, or both
    """
    return client.post(_PATH, _body(parsed_args, client))


def exit_code(answer: Mapping[str, Any]) -> int:
    """How it looks: nothing is impossible or missing, and nobody is in the way."""
    demand = answer["demand"] or {"missing": {}}
    if demand["missing"] or not all(plan["possible"] for plan in answer["plans"]):
        return NoPlacement.exit_code
    is_ready = all(plan["applicable"] or plan["nothing_to_do"] for plan in answer["plans"])
    return 0 if is_ready else WrongState.exit_code


def draw(answer: Mapping[str, Any], out: TextIO, parsed_args: argparse.Namespace) -> None:
    """Write all plans, and what they come to."""
    demand = answer["demand"]
    if demand is not None:
        out.write(f"Wanted are {layout_text(demand['wanted'])}; free already: {_none_or(demand['free'])}.\n")
    for plan in answer["plans"]:
        _draw_plan(plan, out, parsed_args)
    if demand is not None and demand["missing"]:
        out.write(f"\nNo device gives {layout_text(demand['missing'])} besides.\n")


def _draw_plan(plan: Mapping[str, Any], out: TextIO, parsed_args: argparse.Namespace) -> None:
    out.write(f"\n{plan['text']}\n")
    if not plan["possible"] or plan["nothing_to_do"]:
        return
    out.writelines(f"  {number}. {step['text']}\n" for number, step in enumerate(plan["steps"], start=1))
    if plan["in_the_way"]:
        rows = [[one["held_by"], one["part"], "goes" if one["taken_out"] else "stays"] for one in plan["in_the_way"]]
        out.write("\n")
        formats.Table().emit_list(["In the way", "Has", "Which"], rows, out, parsed_args)
        out.write("\n")
    out.write(f"Offered now: {layout_text(plan['before'])}. Afterwards: {layout_text(plan['after'])}.\n")
    if plan["lost"]:
        out.write(f"Lost: {layout_text(plan['lost'])}.\n")
    if plan["room"]:
        more = " or ".join(f"{name}={count}" for name, count in plan["room"].items())
        out.write(f"Room for more then: {more}.\n")
    undo = " ".join(f"--layout {name}={count}" for name, count in sorted(plan["undo"].items())) or "--layout whole"
    out.write(f"Undo: accel partition apply --device {plan['device_uuid'][:8]} {undo}\n")


def _none_or(layout: Mapping[str, int]) -> str:
    return layout_text(layout) if any(layout.values()) else "none"


def _body(parsed_args: argparse.Namespace, client: Client) -> Item:
    if (parsed_args.device is None) != (parsed_args.layout is None) or bool(parsed_args.layout) == bool(
        parsed_args.demand
    ):
        raise WrongUse("say --device with --layout, or --demand")
    if parsed_args.layout:
        if parsed_args.node or parsed_args.model:
            raise WrongUse("--node and --model choose from a pool: they go with --demand")
        layout = _read(parsed_args.layout, "--layout")
        return {"device_uuid": refs.device(client, parsed_args.device)["uuid"], "layout": layout}
    where = {name: getattr(parsed_args, name) for name in ("node", "model") if getattr(parsed_args, name)}
    return {"demand": _read(parsed_args.demand, "--demand"), **where}


def _read(texts: list[str], option: str) -> dict[str, int]:
    try:
        return dict(read_layout(texts))
    except InvalidValue as error:
        raise WrongUse(f"{option} {error.value}: it takes {error.expected}") from error
