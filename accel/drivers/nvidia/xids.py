"""Xids: what NVIDIA's kernel module says went wrong, heard as events and remembered for the next look.

A look is a process of its own that comes and goes, and an Xid is told once, to whoever listens just then. So a process
of the agent listens, writes down what it hears, and tells it at once. What else NVML tells of errors, its figures say
at the next look, which is asked for.

Some Xids are the fault of an application and say nothing of the card: they are counted apart. The numbers are those of
NVIDIA's catalogue of Xid errors.
"""

import ctypes
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from accel.drivers.acts import Tell
from accel.drivers.sysfs import read_text
from accel.model.device import Health
from accel.model.health import CALM, Alarm, Signal

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
_OTHER_EVENTS = (
    "nvmlEventTypeDoubleBitEccError",
    "nvmlEventTypeDramRetirementEvent",
    "nvmlEventTypeDramRetirementFailure",
    "nvmlEventTypeFatalPoisonError",
    "nvmlEventTypeGpuUnavailableError",
    "nvmlEventTypeGpuRecoveryAction",
)
"""What else is heard, where card and library know it."""
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


def listen(nvml: ModuleType, log: Log, tell: Tell) -> None:
    """Hear Xids for a while, write them down, and tell of each at once, and that there was anything else.

    NVML is initialised already.
    """
    if log.read() is None:
        log.write({})
    events = nvml.nvmlEventSetCreate()
    try:
        watched: dict[int, str] = {}
        for index in range(nvml.nvmlDeviceGetCount()):
            watched |= _register(nvml, index, events)
        if not watched:
            return
        for _ in range(_LISTENING_SECONDS * 1000 // _WAIT_MILLISECONDS):
            with suppress(nvml.NVMLError_Timeout):
                event = nvml.nvmlEventSetWait_v2(events, _WAIT_MILLISECONDS)
                is_xid = event.eventType == nvml.nvmlEventTypeXidCriticalError
                tell(*(_alarms(log, watched.get(_pointer(event.device), ""), int(event.eventData)) if is_xid else ()))
    finally:
        nvml.nvmlEventSetFree(events)


def _alarms(log: Log, uuid: str, xid: int) -> Iterator[Alarm]:
    """Write an Xid down; what of the card's signals speaks against it by then."""
    now = datetime.now(UTC)
    log.add(uuid, xid, now)
    if xid not in _OF_APPLICATIONS:
        for signal in signals(log, uuid, now):
            if signal.value is Health.UNHEALTHY:
                yield Alarm(device=uuid, signal=signal)


def _register(nvml: ModuleType, index: int, events: Any) -> Mapping[int, str]:
    """The card of that index, its UUID by NVML's own name for it; nothing where it tells no Xids, as one that is lost.

    The UUID is asked for now: a card that has just fallen off the bus does not say it any more.
    """
    try:
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = str(nvml.nvmlDeviceGetUUID(device))
        nvml.nvmlDeviceRegisterEvents(device, _events_of(nvml, device), events)
    except nvml.NVMLError:
        return {}
    return {_pointer(device): uuid}


def _events_of(nvml: ModuleType, device: Any) -> int:
    """What to listen to: Xids, and what else the card tells of."""
    wanted = int(nvml.nvmlEventTypeXidCriticalError)
    try:
        known = int(nvml.nvmlDeviceGetSupportedEventTypes(device))
    except nvml.NVMLError:
        return wanted
    for name in _OTHER_EVENTS:
        wanted |= known & int(getattr(nvml, name, 0))
    return wanted


def _pointer(device: Any) -> int:
    """What NVML knows a card by; each call wraps it anew."""
    return ctypes.cast(device, ctypes.c_void_p).value or 0


def _text(heard: Heard) -> str:
    if not heard.count:
        return "none since the agent listens"
    words = f" ({_WORDS[heard.last]})" if heard.last in _WORDS else ""
    return f"{heard.count} since the host was started, the last Xid {heard.last}{words} at {heard.at}"
