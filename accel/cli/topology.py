"""``accel topology NODE``: how near the devices of a node are to each other, to memory and to processors."""

import argparse
from collections.abc import Iterable, Sequence
from typing import ClassVar, TextIO

from accel.cli import refs
from accel.cli.base import ShowCommand, client_of
from accel.cli.client import Item
from accel.cli.columns import Column, member
from accel.cli.formats import TABLE, terminal_width

_UNKNOWN = "N/A"


class Topology(ShowCommand):
    """Show how near the devices of a node are to each other."""

    columns: ClassVar[tuple[Column, ...]] = tuple(
        member(key) for key in ("node", "numa", "devices", "matrix", "legend")
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which node."""
        parser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="NODE", help="name, UUID, or its first four characters or more")
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the topology."""
        client = client_of(self)
        return client.get(f"/nodes/{refs.node(client, parsed_args.node)['uuid']}/topology")

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Draw the matrix as a table; the other formats have the parts."""
        if parsed_args.formatter != TABLE or parsed_args.columns:
            return super().run(parsed_args)
        draw(self.fetch(parsed_args), self.app.stdout)
        return 0


def draw(topology: Item, out: TextIO) -> None:
    """Write the matrix, what each device is, and what the signs mean."""
    devices = topology["devices"]
    if not devices:
        out.write(f"{topology['node']} has no devices\n")
        return
    _write_columns(out, matrix_lines(topology), fits=terminal_width() if out.isatty() else None)
    out.write("\n")
    _write_columns(
        out, [[device["name"], device["uuid"][:8], device["address"] or "-", device["model"]] for device in devices]
    )
    seen = {sign.rstrip("0123456789") for row in topology["matrix"] for sign in row}
    legend = [[sign, meaning] for sign, meaning in topology["legend"].items() if sign.rstrip("#") in seen]
    if legend:
        out.write("\n")
        _write_columns(out, legend)


def matrix_lines(topology: Item) -> list[list[str]]:
    """The matrix with its headings: a column for each device, then NUMA node and processors."""
    devices = topology["devices"]
    lines = [["", *(device["name"] for device in devices), "NUMA", "CPUs"]]
    for device, row in zip(devices, topology["matrix"], strict=True):
        numa = _UNKNOWN if device["numa_node"] is None else str(device["numa_node"])
        lines.append([device["name"], *row, numa, device["cpus"] or _UNKNOWN])
    return lines


def _write_columns(out: TextIO, lines: Sequence[Sequence[str]], *, fits: int | None = None) -> None:
    """Write texts below each other.

    :param fits: where the lines are longer than this, the columns stand closer
    """
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    is_wide = fits is not None and sum(widths) + 2 * (len(widths) - 1) > fits
    gap = " " if is_wide else "  "
    out.writelines(gap.join(_padded(line, widths)).rstrip() + "\n" for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    return (text.ljust(width) for text, width in zip(line, widths, strict=True))
