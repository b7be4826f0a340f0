"""``accel simulate TASKS --nodes NODES``: what would have become of a workload on a fleet, by one policy and another.

Both are files; no server is asked. Reckoning with arrays is imported with this module, which is when the command runs.
"""

import argparse
import gzip
import re
import statistics
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from cliff.lister import Lister

from accel.cli import chart, formats
from accel.cli.base import OurFormats, headings, value
from accel.cli.client import Item
from accel.cli.columns import Column, chosen, member, ordered
from accel.cli.errors import WrongUse
from accel.cli.progress import Progress
from accel.errors import InvalidTrace, InvalidValue
from accel.placement.simulation.policies import DEFAULT, POLICIES
from accel.placement.simulation.replay import Replay, Result
from accel.placement.simulation.tasks import Machine, Task, capacity_milli, inflated
from accel.placement.simulation.trace import read_machines, read_tasks

MOST_SEEDS: Final = 1000

_SEEDS: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")

Read = TypeVar("Read")


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %"


def _seconds(count: float) -> str:
    return f"{count:.0f} s"


class Simulate(OurFormats, Lister):
    """Replay a trace of tasks against a fleet of files."""

    columns: ClassVar[tuple[Column, ...]] = (
        member("policy"),
        Column("seeds", lambda row: row["seeds"], lambda row: len(row["seeds"])),
        member("tasks", round),
        member("placed", round),
        member("allocated", _percent),
        member("deviation", _percent),
        member("fragmented", _percent),
        member("waited", _seconds),
        member("waited_most", _seconds),
        member("allocated_by_seed"),
    )
    shown: ClassVar[tuple[str, ...]] = ("policy", "seeds", "tasks", "placed", "allocated", "deviation", "fragmented")
    shown_of_a_run: ClassVar[tuple[str, ...]] = (
        "policy",
        "tasks",
        "placed",
        "allocated",
        "fragmented",
        "waited",
        "waited_most",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the files, and how to replay them."""
        parser = super().get_parser(prog_name)
        parser.add_argument("tasks", metavar="TASKS", type=Path, help="the trace: a .csv file, or .csv.gz")
        parser.add_argument(
            "--nodes", metavar="NODES", type=Path, required=True, help="the fleet: a .csv file, or .csv.gz"
        )
        parser.add_argument(
            "--policy",
            dest="policies",
            action="append",
            choices=[*POLICIES, "all"],
            help=f"where tasks go; several are compared (default: {DEFAULT})",
        )
        parser.add_argument(
            "--inflate",
            type=_times,
            metavar="TIMES",
            help="draw more tasks until the devices are asked for so many times, and let none go "
            "(default: tasks come and go at the times of the trace)",
        )
        parser.add_argument(
            "--seeds",
            type=_seeds,
            default=(1,),
            metavar="SEEDS",
            help="what chance begins with: 7, 42-51 or 1,2,5-9 (default: 1)",
        )
        parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: a .svg file, or .png with matplotlib")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Replay, draw and list.

        :raises WrongUse: a file or an option is wrong
        """
        if parsed_args.plot is not None:
            chart.check(parsed_args.plot)
        machines = _read(parsed_args.nodes, read_machines)
        tasks = _read(parsed_args.tasks, read_tasks)
        asked = parsed_args.policies or [DEFAULT]
        policies = list(POLICIES) if "all" in asked else list(dict.fromkeys(asked))
        results: dict[str, list[Result]] = {}
        for policy in policies:
            results[policy] = list(self._results(policy, machines, tasks, parsed_args))
        if parsed_args.plot is not None:
            chart.write(_chart(results, is_filled=parsed_args.inflate is not None), parsed_args.plot)
        return self._rows([_row(policy, found) for policy, found in results.items()], parsed_args)

    def _results(
        self, policy: str, machines: Sequence[Machine], tasks: Sequence[Task], parsed_args: argparse.Namespace
    ) -> Iterator[Result]:
        """One for each seed."""
        try:
            replay = Replay(machines, tasks, policy=policy)
        except InvalidValue as error:
            raise WrongUse(f"{parsed_args.nodes}, {parsed_args.tasks}: {error}") from error
        progress = Progress(self.app.stderr)
        for seed in parsed_args.seeds:
            told = progress.of(f"{policy}, seed {seed}")
            if parsed_args.inflate is None:
                yield replay.run(tasks, seed=seed, progress=told)
            else:
                asked = parsed_args.inflate * capacity_milli(machines)
                yield replay.fill(inflated(tasks, device_milli=asked, seed=seed), seed=seed, progress=told)
        progress.clear()

    def _rows(self, rows: list[Item], parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        is_table = parsed_args.formatter == formats.TABLE
        shown = self.shown if parsed_args.inflate is not None else self.shown_of_a_run
        wanted = parsed_args.columns or (shown if is_table else [column.key for column in self.columns])
        columns = chosen(self.columns, wanted)
        if parsed_args.sort_columns:
            by = chosen(self.columns, parsed_args.sort_columns)
            rows = ordered(rows, by, descending=parsed_args.sort_direction == "desc")
        return headings(columns, parsed_args.formatter), [
            [value(column, row, parsed_args.formatter, is_long=True) for column in columns] for row in rows
        ]


def _read(path: Path, read: Callable[..., Read]) -> Read:
    """Read a file.

    :raises WrongUse: it cannot be read, or has a mistake
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as lines
        ):
            return read(lines, file=str(path))
    except InvalidTrace as error:
        raise WrongUse(str(error)) from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path}: is not text in UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise WrongUse(f"{path}: is not what gzip writes, or not all of it") from error
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read: {error.strerror}") from error


def _row(policy: str, results: Sequence[Result]) -> Item:
    """What is shown of a policy: averages over the seeds."""
    waited = [seconds for result in results for seconds in result.waited]
    allocated = [result.allocated for result in results]
    return {
        "policy": policy,
        "seeds": [result.seed for result in results],
        "tasks": statistics.fmean(result.tasks for result in results),
        "placed": statistics.fmean(result.placed for result in results),
        "allocated": statistics.fmean(allocated),
        "deviation": statistics.stdev(allocated) if len(allocated) > 1 else None,
        "fragmented": statistics.fmean(result.fragmented for result in results),
        "waited": statistics.fmean(waited) if waited else None,
        "waited_most": max(waited, default=None),
        "allocated_by_seed": {str(result.seed): result.allocated for result in results},
    }


def _chart(results: dict[str, list[Result]], *, is_filled: bool) -> chart.Chart:
    """Of each policy what its first seed gave."""
    unit = 100 if is_filled else 1 / 3600
    return chart.Chart(
        title="Devices that are allocated",
        x_label="asked for, % of the devices" if is_filled else "hours",
        y_label="allocated, % of the devices",
        lines=[
            chart.Line(policy, [(look.at * unit, look.allocated * 100) for look in found[0].looks])
            for policy, found in results.items()
        ],
    )


def _times(text: str) -> float:
    times = float(text)
    if not 0 < times <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number up to 100")
    return times


def _seeds(text: str) -> tuple[int, ...]:
    """Read seeds and ranges of them."""
    found: list[int] = []
    for part in text.split(","):
        match = _SEEDS.fullmatch(part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{part!r} is neither a number nor a range such as 42-51")
        first = int(match[1])
        last = int(match[2] or first)
        if not 0 <= last - first < MOST_SEEDS - len(found):
            raise argparse.ArgumentTypeError(
                f"{part} is not a range from less to more, with {MOST_SEEDS} seeds at most"
            )
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))
