"""What is found when a program looks at everything that it needs: of each thing how it is and how to mend it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    """The program works, with less."""
    FAILED = "failed"
    """The program cannot do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one probe found."""

    probe: str
    state: State
    found: str
    mend: str = ""
    """What to do about it; empty when all is well."""


Probe = Callable[[], Iterable[Finding]]


def examine(probes: Sequence[Probe]) -> list[Finding]:
    """Run the probes in order."""
    return [finding for probe in probes for finding in probe()]


def ok(probe: str, found: str) -> Finding:
    """All is well."""
    return Finding(probe=probe, state=State.OK, found=found)


def warning(probe: str, found: str, mend: str) -> Finding:
    """The program works, with less."""
    return Finding(probe=probe, state=State.WARNING, found=found, mend=mend)


def failed(probe: str, found: str, mend: str) -> Finding:
    """The program cannot do its work."""
    return Finding(probe=probe, state=State.FAILED, found=found, mend=mend)


def as_table(findings: Iterable[Finding]) -> str:
    """The findings for people, in columns."""
    rows = [("PROBE", "STATE", "FOUND", "MEND"), *((f.probe, f.state, f.found, f.mend or "-") for f in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = (
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])) for row in rows
    )
    return "".join(f"{line}\n" for line in lines)
