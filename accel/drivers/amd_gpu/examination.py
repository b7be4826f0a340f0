"""What AMD GPUs tell of their fitness: errors that were caught, by the kernel or by AMD's library, and lost memory.

Facts are from "AMDGPU RAS Support" of the kernel's documentation: ``ras/<block>_err_count`` has a line for each kind of
error, ``ras/gpu_vram_bad_pages`` one for each page of memory that is used no more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from accel.drivers.amd_gpu.smi import ErrorCounts
from accel.drivers.sysfs import PciFunction, names_in, read, read_text
from accel.model.device import Health
from accel.model.health import Signal

ERRORS, BAD_PAGES = "amd.ras", "amd.bad_pages"

_SUFFIX = "_err_count"
_UNCORRECTABLE, _CORRECTABLE = "ue", "ce"
_PAGE_STATES = {"R": "out of use", "P": "out of use after the next reset", "F": "that cannot be taken out of use"}
_STILL_USED = "F"


def examine(function: PciFunction, by_library: ErrorCounts | None, now: datetime) -> Iterator[Signal]:
    """The signals of a GPU.

    :param by_library: what AMD's library counts, for a GPU of which the kernel shows no counters; None: nothing
    """
    if read_text(function.path / "power/runtime_status") == "suspended":
        return
    yield from _errors(function, by_library, now)
    yield from _bad_pages(function, now)


def _errors(function: PciFunction, by_library: ErrorCounts | None, now: datetime) -> Iterator[Signal]:
    """How many errors there were. A GPU that had some and goes on is fit; that they become more is what matters."""
    directory = function.path / "ras"
    found: dict[str, Mapping[str, int]] = {}
    for name in names_in(directory):
        if name.endswith(_SUFFIX):
            reading = read(directory / name)
            if reading.problem:
                text = f"its counters cannot be read: {reading.problem}"
                yield Signal(source=ERRORS, at=now, value=Health.UNKNOWN, text=text)
                return
            found[name.removesuffix(_SUFFIX)] = _counts(reading.text)
    if found:
        uncorrectable = {block: counts.get(_UNCORRECTABLE, 0) for block, counts in found.items()}
        correctable = {block: counts.get(_CORRECTABLE, 0) for block, counts in found.items()}
        yield _told(uncorrectable, correctable, now)
    elif by_library is not None:
        yield _told({"": by_library.uncorrectable}, {"": by_library.correctable}, now)


def _counts(text: str) -> Mapping[str, int]:
    pairs = (line.split(":") for line in text.splitlines())
    return {pair[0].strip(): int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].strip().isdecimal()}


def _told(uncorrectable: Mapping[str, int], correctable: Mapping[str, int], now: datetime) -> Signal:
    counts = (("uncorrectable", uncorrectable), ("correctable", correctable))
    text = "; ".join(f"{sum(blocks.values())} {kind}{_where(blocks)}" for kind, blocks in counts)
    return Signal(source=ERRORS, at=now, value=Health.HEALTHY, text=text, count=sum(uncorrectable.values()))


def _where(blocks: Mapping[str, int]) -> str:
    where = ", ".join(f"{block} {count}" for block, count in blocks.items() if count and block)
    return f" ({where})" if where else ""


def _bad_pages(function: PciFunction, now: datetime) -> Iterator[Signal]:
    """Pages of memory that had errors: a GPU that cannot take one out of use goes on using it."""
    path = function.path / "ras/gpu_vram_bad_pages"
    reading = read(path)
    if reading.problem:
        text = f"they cannot be read: {reading.problem}"
        yield Signal(source=BAD_PAGES, at=now, value=Health.UNKNOWN, text=text)
    elif path.exists():
        states = Counter(line.split(":")[-1].strip() for line in reading.text.splitlines() if line.count(":") == 2)
        parts = [f"{states[state]} pages {meaning}" for state, meaning in _PAGE_STATES.items() if states[state]]
        value = Health.UNHEALTHY if states[_STILL_USED] else Health.HEALTHY
        text = ", ".join(parts) or "none"
        yield Signal(source=BAD_PAGES, at=now, value=value, text=text, count=states.total())
