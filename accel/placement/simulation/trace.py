"""Reads fleets and tasks as clusters publish them: comma-separated values with a heading, one node or task a line.

Columns may stand in any order, and others beside them are ignored. See ``docs/simulation.rst``.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from accel.errors import InvalidTrace
from accel.placement.simulation.tasks import WHOLE, Machine, Task, TaskShape

MACHINE_COLUMNS: Final = ("sn", "cpu_milli", "memory_mib", "gpu")
TASK_COLUMNS: Final = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
MOST_DEVICES: Final = 64
"""Of one node, and for one task."""

_MOST: Final = 10**12
"""Of anything else."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a file, which reads its fields and names them where they are wrong."""

    file: str
    line: int
    fields: Mapping[str, str]

    def mistake(self, column: str, expected: str) -> InvalidTrace:
        return InvalidTrace(f"{self.file}, line {self.line}, {column}: {self.text(column)!r} is not {expected}")

    def text(self, column: str) -> str:
        return self.fields.get(column, "").strip()

    def number(self, column: str, *, most: int = _MOST) -> int:
        text = self.text(column)
        # Longer ones would be too large for certain, and Python refuses to read very long ones.
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= most):
            raise self.mistake(column, f"a whole number from 0 to {most}")
        return int(text)

    def moment(self, column: str) -> int | None:
        """Seconds; None where the field is empty or missing."""
        return self.number(column) if self.text(column) else None


def read_machines(lines: Iterable[str], *, file: str) -> list[Machine]:
    """Read a fleet.

    :param file: what to call it where it has a mistake
    :raises InvalidTrace: it has one
    """
    return [
        Machine(
            row.text("sn"),
            row.number("cpu_milli"),
            row.number("memory_mib"),
            row.number("gpu", most=MOST_DEVICES),
            row.text("model"),
        )
        for row in _rows(lines, file, MACHINE_COLUMNS, "nodes")
    ]


def read_tasks(lines: Iterable[str], *, file: str) -> list[Task]:
    """Read tasks.

    :param file: what to call it where it has a mistake
    :raises InvalidTrace: it has one
    """
    return [_task(row) for row in _rows(lines, file, TASK_COLUMNS, "tasks")]


def _task(row: _Row) -> Task:
    created, placed, deleted = (row.moment(f"{what}_time") for what in ("creation", "scheduled", "deletion"))
    arrives = created or 0
    began = arrives if placed is None else placed
    if began < arrives:
        raise row.mistake("scheduled_time", f"empty, or {arrives} (creation_time) or more")
    if deleted is not None and deleted < began:
        raise row.mistake("deletion_time", f"empty, or {began} (when it was placed, else created) or more")
    return Task(
        name=row.text("name"), shape=_shape(row), arrives=arrives, runs=None if deleted is None else deleted - began
    )


def _shape(row: _Row) -> TaskShape:
    devices = row.number("num_gpu", most=MOST_DEVICES)
    share = row.number("gpu_milli", most=WHOLE)
    if devices == 1 and not share:
        raise row.mistake("gpu_milli", f"a whole number from 1 to {WHOLE}")
    if devices > 1 and share != WHOLE:
        raise row.mistake("gpu_milli", f"{WHOLE}, as it is wherever num_gpu is more than 1")
    models = sorted({model.strip() for model in row.text("gpu_spec").split("|")} - {""})
    return TaskShape(
        row.number("cpu_milli"),
        row.number("memory_mib"),
        devices,
        share if devices else 0,
        tuple(models) if devices else (),
    )


def _rows(lines: Iterable[str], file: str, columns: Iterable[str], what: str) -> Iterator[_Row]:
    reader = csv.reader(lines, strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        if missing := [column for column in columns if column not in heading]:
            raise InvalidTrace(f"{file}, line 1: no column {', '.join(missing)}; {what} have {', '.join(columns)}")
        found = False
        for fields in reader:
            if not fields:
                continue
            found = True
            if len(fields) != len(heading):
                raise InvalidTrace(
                    f"{file}, line {reader.line_num}: {len(fields)} fields, and the heading has {len(heading)}"
                )
            yield _Row(file, reader.line_num, dict(zip(heading, fields, strict=True)))
    except csv.Error as error:
        raise InvalidTrace(f"{file}, line {reader.line_num}: not comma-separated values ({error})") from error
    if not found:
        raise InvalidTrace(f"{file}: has a heading and no {what}")
