"""Xids: what NVIDIA's kernel module says went wrong, heard as events and remembered for the next look.

A look is a process of its own that comes and goes, and an Xid is told once, to whoever listens just then. So a process
of the agent listens, writes down what it hears, and asks for a look at once.

Some Xids are the fault of an application and say nothing of the card: they are counted apart. The numbers are those of
NVIDIA's catalogue of Xid errors.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from accel.drivers.sysfs import read_text
from accel.model.device import Health
from accel.model.health import CALM, Signal

XID, APPLICATION_XID = "nvml.xid", "nvml.xid_application"
FILE_NAME = "nvml-xids.json"

_OF_APPLICATIONS = frozenset({13, 31, 43, 45, 68, 109})
_WORDS = {
    13: "graphics engine exception",
    31: "memory page fault of an application",
    43: "an application's channel was stopped",
    45: "preemptive cleanup after an application",
    48: "double bit ECC error",
    62: "internal micro-controller halt",
    63: "a row of memory is to be remapped",
    64: "a row of memory could not be remapped",
    68: "video processor exception",
    74: "NVLink error",
    79: "fallen off the bus",
    94: "contained memory error",
    95: "uncontained memory error",
    109: "context switch timeout",
    119: "the GPU system processor did not answer",
    120: "the GPU system processor failed",
}
_WAIT_MILLISECONDS = 10_000
_LISTENING_SECONDS = 600
"""How long one set of events is listened to: cards that came meanwhile are in the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How many Xids of a kind there were on a card, and the last of them."""

    count: int = 0
    last: int = 0
    at: str = ""
    """When, in ISO 8601 with zone; empty: there was none."""


@dataclass(frozen=True, slots=True)
class Log:
    """What was heard, in a file of ours; what was heard before the host was started last is forgotten.

    :param boot: the kernel's id of this boot
    """

    path: Path
    boot: str

    @classmethod
    def of(cls, memory: Path, proc: Path) -> "Log":
        """The log of a host.

        :param memory: where acts remember what must outlive them
        """
        return cls(memory / FILE_NAME, read_text(proc / "sys/kernel/random/boot_id"))

    def read(self) -> Mapping[str, Mapping[str, Heard]] | None:
        """By the UUID of a card and the source of the signal; None: nobody has listened since the host was started."""
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return None
        if found.get("boot") != self.boot:
            return None
        return {
            uuid: {source: Heard(**heard) for source, heard in kinds.items()} for uuid, kinds in found["cards"].items()
        }

    def write(self, cards: Mapping[str, Mapping[str, Heard]]) -> None:
        """Keep it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        plain = {uuid: {source: asdict(heard) for source, heard in kinds.items()} for uuid, kinds in cards.items()}
        new.write_text(json.dumps({"boot": self.boot, "cards": plain}))
        new.replace(self.path)

    def add(self, uuid: str, xid: int, now: datetime) -> None:
        """One more."""
        cards = dict(self.read() or {})
        kinds = dict(cards.get(uuid, {}))
        source = APPLICATION_XID if xid in _OF_APPLICATIONS else XID
        before = kinds.get(source, Heard())
        kinds[source] = replace(before, count=before.count + 1, last=xid, at=now.isoformat(timespec="seconds"))
        self.write(cards | {uuid: kinds})


def signals(log: Log, uuid: str, now: datetime) -> Iterator[Signal]:
    """What is known of the Xids of a card."""
    cards = log.read()
    if cards is None:
        text = "nobody has listened since the host was started: the agent does while it runs"
        yield Signal(source=XID, at=now, value=Health.UNKNOWN, text=text)
        return
    kinds = cards.get(uuid, {})
    heard = kinds.get(XID, Heard())
    is_recent = bool(heard.at) and now - datetime.fromisoformat(heard.at) < CALM
    value = Health.UNHEALTHY if is_recent else Health.HEALTHY
    yield Signal(source=XID, at=now, value=value, text=_text(heard), count=heard.count)
    application = kinds.get(APPLICATION_XID)
    if application is not None:
        yield Signal(source=APPLICATION_XID, at=now, value=Health.HEALTHY, text=_text(application))


def listen(nvml: ModuleType, log: Log, tell: Callable[[], None]) -> None:
    """Hear Xids for a while, write them down, and ask for a look after each.

    NVML is initialised already.
    """
    if log.read() is None:
        log.write({})
    wanted = nvml.nvmlEventTypeXidCriticalError
    events = nvml.nvmlEventSetCreate()
    try:
        watched = sum(_register(nvml, index, wanted, events) for index in range(nvml.nvmlDeviceGetCount()))
        if not watched:
            return
        for _ in range(_LISTENING_SECONDS * 1000 // _WAIT_MILLISECONDS):
            with suppress(nvml.NVMLError_Timeout):
                event = nvml.nvmlEventSetWait_v2(events, _WAIT_MILLISECONDS)
                log.add(_uuid(nvml, event.device), int(event.eventData), datetime.now(UTC))
                tell()
    finally:
        nvml.nvmlEventSetFree(events)


def _register(nvml: ModuleType, index: int, wanted: int, events: Any) -> bool:
    """Whether the card of that index tells its Xids; one that is lost tells nothing."""
    try:
        nvml.nvmlDeviceRegisterEvents(nvml.nvmlDeviceGetHandleByIndex(index), wanted, events)
    except nvml.NVMLError:
        return False
    return True


def _uuid(nvml: ModuleType, device: Any) -> str:
    """The card's; a card that has just fallen off the bus may not say it any more."""
    try:
        return str(nvml.nvmlDeviceGetUUID(device))
    except nvml.NVMLError:
        return ""


def _text(heard: Heard) -> str:
    if not heard.count:
        return "none since the agent listens"
    words = f" ({_WORDS[heard.last]})" if heard.last in _WORDS else ""
    return f"{heard.count} since the host was started, the last Xid {heard.last}{words} at {heard.at}"
