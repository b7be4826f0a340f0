"""What a measurement gives, and the table it is printed in.

A figure stands beside its bound and, where the same run measured one, beside its floor: the least that the same stack
could do the job in. The ratio of the two says more than milliseconds do, because the machine of the day is in both.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    unit: str
    bound: float
    floor: float | None = None
    """The same job at its barest, measured in the same run, in the same unit."""
    floor_what: str = ""
    at_least: bool = False
    """Whether the bound is below and not above."""
    reference: str = ""
    """What the reference server needed, where that is known."""

    @property
    def is_within(self) -> bool:
        """Whether the figure keeps its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def median_ms(call: Callable[[], object], *, times: int, warm_up: int = 3) -> float:
    """The median duration of a call, in milliseconds."""
    for _ in range(warm_up):
        call()
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations) * 1000


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table, which is what docs/figures.md has."""
    lines = ["| figure | measured | bound | kept | × its floor | reference |", "|---|---:|---:|:-:|---|---|"]
    for figure in figures:
        ratio = f"{figure.value / figure.floor:.1f} × {figure.floor_what}" if figure.floor else ""
        lines.append(
            f"| {figure.what} | {figure.value:.4g} {figure.unit} "
            f"| {'at least' if figure.at_least else 'at most'} {figure.bound:g} {figure.unit} "
            f"| {'yes' if figure.is_within else '**no**'} | {ratio} | {figure.reference} |"
        )
    return "\n".join(lines)
