"""What NVML knows of a card's fitness beside Xids: errors of its memory, temperature, and what it takes to recover."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pynvml

from accel.model.device import Health
from accel.model.health import Signal

ECC, ROWS, PAGES = "nvml.ecc", "nvml.remapped_rows", "nvml.retired_pages"
TEMPERATURE, RECOVERY = "nvml.temperature", "nvml.recovery"

_ACTIONS = {
    pynvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET: "reset the GPU",
    pynvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT: "reboot the node",
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_P2P: "drain what uses it over NVLink, then reset the GPU",
    pynvml.NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET: "drain what uses it, then reset the GPU",
}


class Questions(Protocol):
    """Asks NVML about one card; None where it has no answer."""

    def ask(self, function: str, *arguments: object, needed: bool = False) -> Any:
        """The answer of a function of NVML."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """Figures of one card; None for what it does not tell."""

    uncorrected_errors: int | None = None
    """Of ECC, since the kernel module was loaded."""
    remapped_rows: tuple[int, int, bool, bool] | None = None
    """After corrected and after uncorrected errors; whether rows wait for a reset, and whether one could not be."""
    are_pages_pending: bool | None = None
    """Whether pages of memory wait to be retired, on cards that retire pages and do not remap rows."""
    celsius: int | None = None
    slowdown_celsius: int | None = None
    """From where the card slows itself down."""
    recovery_action: int | None = None
    """One of ``NVML_GPU_RECOVERY_ACTION_…``."""


def read(about: Questions, handle: object) -> Fitness:
    """Ask for all figures."""
    rows = about.ask("nvmlDeviceGetRemappedRows", handle)
    pending = about.ask("nvmlDeviceGetRetiredPagesPendingStatus", handle)
    field = about.ask("nvmlDeviceGetFieldValues", handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])
    return Fitness(
        uncorrected_errors=about.ask(
            "nvmlDeviceGetTotalEccErrors",
            handle,
            pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            pynvml.NVML_VOLATILE_ECC,
        ),
        remapped_rows=rows and (rows[0], rows[1], bool(rows[2]), bool(rows[3])),
        are_pages_pending=None if pending is None else bool(pending),
        celsius=about.ask("nvmlDeviceGetTemperature", handle, pynvml.NVML_TEMPERATURE_GPU),
        slowdown_celsius=about.ask(
            "nvmlDeviceGetTemperatureThreshold", handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
        ),
        recovery_action=field[0].value.uiVal if field and field[0].nvmlReturn == pynvml.NVML_SUCCESS else None,
    )


def signals(fitness: Fitness, now: datetime) -> Iterator[Signal]:
    """What the figures mean. What a card has no figure for is not mentioned."""
    if (errors := fitness.uncorrected_errors) is not None:
        text = f"{errors} uncorrected errors since the kernel module was loaded"
        yield Signal(source=ECC, at=now, value=Health.HEALTHY, text=text, count=errors)
    if fitness.remapped_rows is not None:
        yield _rows(*fitness.remapped_rows, now=now)
    if fitness.are_pages_pending is not None and fitness.remapped_rows is None:
        text = "pages of memory wait to be retired: reset the GPU" if fitness.are_pages_pending else "none is pending"
        yield Signal(source=PAGES, at=now, value=_fit(not fitness.are_pages_pending), text=text)
    if fitness.celsius is not None:
        yield _temperature(fitness.celsius, fitness.slowdown_celsius, now)
    if (action := fitness.recovery_action) is not None:
        is_fit = action == pynvml.NVML_GPU_RECOVERY_ACTION_NONE
        text = "nothing has to be done" if is_fit else _ACTIONS.get(action, f"NVML asks for recovery action {action}")
        yield Signal(source=RECOVERY, at=now, value=_fit(is_fit), text=text)


def _fit(is_fit: bool) -> Health:  # noqa: FBT001 - a word for a fact
    return Health.HEALTHY if is_fit else Health.UNHEALTHY


def _rows(corrected: int, uncorrected: int, is_pending: bool, has_failed: bool, *, now: datetime) -> Signal:  # noqa: FBT001 - as NVML gives them
    text = f"{corrected} remapped after corrected errors, {uncorrected} after uncorrected ones"
    if is_pending:
        text += "; more wait for a reset of the GPU"
    if has_failed:
        text += "; one could not be remapped: have the card replaced"
    return Signal(source=ROWS, at=now, value=_fit(not (is_pending or has_failed)), text=text)


def _temperature(celsius: int, slowdown: int | None, now: datetime) -> Signal:
    if slowdown is None:
        return Signal(source=TEMPERATURE, at=now, value=Health.UNKNOWN, text=f"{celsius} °C; its limit is not told")
    text = f"{celsius} °C, slows down from {slowdown} °C"
    return Signal(source=TEMPERATURE, at=now, value=_fit(celsius < slowdown), text=text)
