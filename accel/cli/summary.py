"""``accel``: the fleet on one screen."""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from typing import ClassVar, TextIO

from cliff.command import Command

from accel.cli import device, formats, human, vendors, watch
from accel.cli.base import app_of, client_of
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member
from accel.cli.node import failures

HINTS = (
    ("accel device list --free", "what can be had now"),
    ("accel device show ID", "all about one; a few characters of its UUID do"),
    ("accel node list", "the nodes and what they have"),
    ("accel topology NODE", "how near the devices of a node are to each other"),
    ("accel event list --follow", "what happens, while it happens"),
)
_SHOWN_PROBLEMS = 6
_SHOWN_NAMESPACES = 5
_POD = "pod"
_FIGURES = ("total", "free", "held", "unhealthy", "unknown")
_RARE_FIGURES = ("lost", "disabled")


def _model_beside_vendor(group: Item) -> str:
    """The model without its vendor's name, which stands in the column before it."""
    vendor, model = vendors.name(group["vendor"]), str(group["model"])
    return model[len(vendor) + 1 :] if model.lower().startswith(f"{vendor.lower()} ") else model


class Summary(Command):
    """Show the fleet on one screen; this is what accel alone does."""

    columns: ClassVar[tuple[Column, ...]] = (
        member("type"),
        member("vendor", vendors.name),
        Column("model", lambda group: group["model"], _model_beside_vendor),
        *(member(key) for key in (*_FIGURES, *_RARE_FIGURES)),
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "-f", "--format", dest="formatter", choices=("table", "json"), default="table", help="how to write it"
        )
        formats.Table().add_argument_group(parser)
        watch.add_option(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Show it once, or again and again."""
        stdout = self.app.stdout
        client = client_of(self)
        if parsed_args.watch is None:
            self._write(client, stdout, parsed_args)
            return 0
        if not stdout.isatty():
            parsed_args.formatter = "json"
        return watch.watch(
            lambda frame: self._write(client, frame, parsed_args),
            stdout=stdout,
            stderr=self.app.stderr,
            interval=parsed_args.watch,
            wait=app_of(self).wait,
        )

    def _write(self, client: Client, out: TextIO, parsed_args: argparse.Namespace) -> None:
        summary = client.get("/summary")
        summary["problems"] = list(problems(client))
        if parsed_args.formatter == "json":
            out.write(json.dumps(summary, indent=None if parsed_args.watch else 2) + "\n")
            return
        out.writelines(f"{text}\n" for text in _counts(summary))
        if summary["groups"]:
            out.write("\n")
            self._write_groups(summary, out, parsed_args)
        _write_problems(summary["problems"], out)
        if parsed_args.watch is None:
            _write_hints(out)

    def _write_groups(self, summary: Item, out: TextIO, parsed_args: argparse.Namespace) -> None:
        rare = [key for key in _RARE_FIGURES if not summary["totals"][key]]
        columns = [column for column in self.columns if column.key not in rare]
        room = max(3, shutil.get_terminal_size().lines - 16) if out.isatty() else len(summary["groups"])
        groups = sorted(summary["groups"], key=lambda group: -group["total"])
        rows = [[column.cell(group) for column in columns] for group in groups[:room]]
        formats.Table().emit_list([column.heading for column in columns], rows, out, parsed_args)
        if len(groups) > room:
            out.write(f"… {human.plural(len(groups) - room, 'more model')}: accel device list\n")


def problems(client: Client) -> Iterator[Item]:
    """What is the matter, worst first: silent nodes, drivers that could not look, devices lost or unhealthy."""
    nodes = list(client.items("/nodes"))
    for node in nodes:
        if node["state"] == "offline":
            text = f"not heard for {human.age(node['last_heartbeat_at'])}"
            yield {"kind": "node_offline", "subject": node["name"], "text": text}
    for node in nodes:
        for text in failures(node):
            yield {"kind": "driver_failed", "subject": node["name"], "text": text}
    for asked in ({"presence": "lost"}, {"presence": "present", "health": "unhealthy"}):
        for item in client.items("/devices", asked, limit=100):
            state = device.state(item)
            since = f" for {human.age(item['lost_at'])}" if state == "lost" else ""
            reason = f": {item['reason']}" if item["reason"] else ""
            yield {
                "kind": f"device_{state}",
                "subject": _place(item),
                "text": f"{state}{since}{reason}",
            }


def _place(item: Item) -> str:
    return f"{item['uuid'][:8]} {'/'.join(filter(None, [item['node'], item['address']]))}"


def _counts(summary: Item) -> Iterator[str]:
    """The fleet in three lines."""
    nodes, totals = summary["nodes"], summary["totals"]
    heard = [f"{nodes['online']} online", *([f"{nodes['offline']} offline"] if nodes["offline"] else [])]
    yield f"Nodes    {', '.join(heard)}"
    if not totals["devices"]:
        yield "Devices  none yet" if sum(nodes.values()) else "Devices  none: no agent has reported yet"
        return
    bad = ", ".join(f"{totals[key]} {key}" for key in ("unhealthy", "unknown", *_RARE_FIGURES) if totals[key])
    yield f"Devices  {totals['devices']}{bad and f' ({bad})'}"
    yield f"Free     {totals['free']} of {totals['total']}, {totals['held']} held"
    if summary["held_by"]:
        yield f"Held by  {', '.join(_holders(summary))}"


def _holders(summary: Item) -> Iterator[str]:
    """Who holds how much, and of pods where they are: ``2 reservation, 5 pod (ml 3, web 2)``."""
    for kind, number in sorted(summary["held_by"].items(), key=lambda each: -each[1]):
        namespaces = sorted(summary["namespaces"].items(), key=lambda each: -each[1]) if kind == _POD else []
        shown = [f"{name} {count}" for name, count in namespaces[:_SHOWN_NAMESPACES]]
        if len(namespaces) > _SHOWN_NAMESPACES:
            shown.append(f"{len(namespaces) - _SHOWN_NAMESPACES} more")
        where = f" ({', '.join(shown)})" if shown else ""
        yield f"{number} {kind}{where}"


def _write_problems(found: Sequence[Item], out: TextIO) -> None:
    if not found:
        return
    out.write("\nProblems\n")
    width = formats.terminal_width() if out.isatty() else None
    for problem in found[:_SHOWN_PROBLEMS]:
        text = f"  {problem['subject']}: {problem['text']}"
        out.write((formats.shortened(text, width) if width else text) + "\n")
    if len(found) > _SHOWN_PROBLEMS:
        out.write(f"  … {len(found) - _SHOWN_PROBLEMS} more: accel summary -f json\n")


def _write_hints(out: TextIO) -> None:
    out.write("\nNext\n")
    width = max(len(command) for command, _ in HINTS)
    out.writelines(f"  {command:{width}}  {meaning}\n" for command, meaning in HINTS)
