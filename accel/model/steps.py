"""Which work on its node an attach handle needs before somebody has it, and after.

The names of the steps are stored with each request that needs them, so they stay as they are once released.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from accel.errors import InvalidValue
from accel.model.device import DeployableKind, DeviceType, HandleType
from accel.model.profile import Group

SCRUB = "scrub"
"""Takes out what the last user has left; is done when the handle comes back."""
PROGRAM = "program"
"""Loads the image that the profile names, or one that has the function that it names."""
PREPARE = "prepare"
"""Makes the handle ready for a guest."""

RESET = "reset"
"""The way to scrub that is an act of its own, and of whole cards only."""

BITSTREAM_KEY = "accel:bitstream_id"
FUNCTION_KEY = "accel:function_id"
"""The keys of a group of a profile that name what is to be loaded."""


def check_image_keys(group: Mapping[str, object]) -> None:
    """Make sure that a group of a profile does not name an image in two ways.

    :raises InvalidValue: it does
    """
    if group.get(BITSTREAM_KEY) and group.get(FUNCTION_KEY):
        raise InvalidValue(FUNCTION_KEY, group[FUNCTION_KEY], f"right beside {BITSTREAM_KEY}: one of both is enough")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPolicy:
    """What is done to which kinds of handles."""

    prepare: frozenset[str] = frozenset()
    """Types of handles, or ``<type of handle>/<type of device>``."""
    scrub: Mapping[str, str] = field(default_factory=dict)
    """How, by type of device, or ``<type of device>/<kind of deployable>``, which goes first. A type alone is all its
    parts, and its whole cards where that is a reset."""

    @classmethod
    def read(cls, prepare: Iterable[str], scrub: Mapping[str, str]) -> "WorkPolicy":
        """The policy that a configuration says.

        :raises InvalidValue: something of it is no type or kind
        """
        wanted = frozenset(text.strip() for text in prepare)
        for text in wanted:
            _check("prepare", text, (HandleType, DeviceType))
        for text, method in scrub.items():
            _check("scrub", text, (DeviceType, DeployableKind))
            _check_method(text, method)
        return cls(prepare=wanted, scrub=dict(scrub))

    def steps(self, handle_type: str, device_type: str, kind: str, group: Group) -> tuple[str, ...]:
        """The names of the steps in the order in which they are done; they are undone in the opposite one.

        :param kind: of the deployable
        :param group: what a profile wants
        """
        named = (
            (SCRUB, bool(self.scrub_method(device_type, kind))),
            (PROGRAM, bool(group.get(BITSTREAM_KEY) or group.get(FUNCTION_KEY))),
            (PREPARE, bool(self.prepare & {handle_type, f"{handle_type}/{device_type}"})),
        )
        return tuple(name for name, is_needed in named if is_needed)

    def scrub_method(self, device_type: str, kind: str) -> str:
        """How a part of a device is scrubbed; empty: it is not."""
        of_kind, of_type = self.scrub.get(f"{device_type}/{kind}", ""), self.scrub.get(device_type, "")
        return of_kind or (of_type if of_type != RESET or kind == DeployableKind.CARD else "")


def _check_method(text: str, method: str) -> None:
    """Make sure that a way of scrubbing is one, and can be one of the kind of part that it is for."""
    device_type, _, kind = text.partition("/")
    if not method:
        raise InvalidValue("scrub", f"{text}:", f"right without a way: {device_type}/card:{RESET}, for example")
    if method == RESET and kind not in {"", DeployableKind.CARD}:
        card = f"{device_type}/{DeployableKind.CARD}:{RESET}"
        raise InvalidValue("scrub", f"{text}:{method}", f"possible: a reset takes the whole card; write {card}")


def _check(option: str, text: str, kinds: tuple[type[HandleType | DeviceType | DeployableKind], ...]) -> None:
    first, slash, second = text.partition("/")
    parts = [(first, kinds[0]), *([(second, kinds[1])] if slash else [])]
    for part, kind in parts:
        if part not in {member.value for member in kind}:
            raise InvalidValue(option, text, f"made of one of {', '.join(kind)}")
