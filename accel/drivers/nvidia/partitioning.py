"""Cuts one GPU by MIG: the smallest change that leads to the layout that is wanted, or back to what was there.

What is there and wanted is not touched, so that who has it does not notice. Whatever the device says when it is asked
again is what counts: after the last step the layout is read, and where a step fails all that was done is undone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from accel.drivers.acts import Progress
from accel.drivers.nvidia.mig import profile_names
from accel.drivers.nvidia.nvml import Gpu
from accel.errors import AccelError, ActFailed, ActNotSupported, ActRefused, LayoutImpossible, NotVerified
from accel.model.layout import Change, Impossible, change
from accel.model.partition import WHOLE, Cut, Layout, Part, Place, layout_text


class Cutter:
    """Cuts one GPU.

    :param read: asks NVML what there is now
    :param nvml: a call of ``accel.privileged.nvml``, which is given the card's UUID
    """

    def __init__(self, *, read: Callable[[], Gpu], nvml: Callable[..., str]) -> None:
        self._gpu = read
        self._nvml = nvml

    def cut(self, layout: Layout, progress: Progress) -> None:
        """Have exactly these parts.

        :param layout: nothing: the card is whole, with MIG mode off
        :raises LayoutImpossible: it cannot have them; nothing has been changed
        :raises ActRefused: it did not work, and the card is as it was
        :raises ActFailed: it did not work, and the card is not as it was
        """
        before = self._read()
        if _found(before, layout).is_nothing:
            return
        try:
            self._change(before, layout, progress)
        except AccelError as error:
            self._undo(before, error, progress)

    def _change(self, before: Cut, layout: Layout, progress: Progress) -> None:
        if before.parts is None:
            progress("switching MIG mode on", 0.0)
            self._nvml("mig_mode", 1)
        # From here on NVML tells its own profiles, which go before those of the tables.
        found = _found(self._read(), layout)
        steps = len(found.destroyed) + len(found.made) + 1
        for done, part in enumerate(found.destroyed, start=1):
            progress(f"taking out {part.profile} at slice {part.start}", done / (steps + 1))
            self._nvml("mig_destroy", int(part.id))
        for done, new in enumerate(found.made, start=1 + len(found.destroyed)):
            progress(f"making {new.profile} at slice {new.place.start}", done / (steps + 1))
            self._make(new.profile, new.place)
        if not layout:
            progress("switching MIG mode off", steps / (steps + 1))
            self._nvml("mig_mode", 0)
        progress("looking at what there is now", steps / (steps + 1))
        self._verify(layout, found)

    def _verify(self, layout: Layout, found: Change) -> None:
        now = self._read()
        kept = {(part.profile, part.start) for part in found.kept}
        if now.layout != Counter(layout) or (now.parts is None) != (not layout) or not kept <= set(_places(now)):
            raise NotVerified(f"NVML took every step, and the card has {_text(now)} in place of {layout_text(layout)}")

    def _undo(self, before: Cut, error: AccelError, progress: Progress) -> None:
        """Bring back what was there, and say how it went.

        :raises AccelError: always
        """
        progress("undoing what was done", None)
        with suppress(AccelError):
            self._bring_back(before)
        try:
            now = self._read()
        except AccelError as silence:
            raise ActFailed(f"{error}; what the card has now is not told: {silence}") from error
        if Counter(_places(now)) == Counter(_places(before)) and (now.parts is None) == (before.parts is None):
            raise ActRefused(f"{error}; the card is as it was, with {_text(before)}") from error
        raise ActFailed(f"{error}; the card has {_text(now)}, and had {_text(before)}") from error

    def _bring_back(self, before: Cut) -> None:
        wanted = list(_places(before))
        for part in self._read().parts or ():
            if (part.profile, part.start) in wanted:
                wanted.remove((part.profile, part.start))
            else:
                self._nvml("mig_destroy", int(part.id))
        if before.parts is None:
            self._nvml("mig_mode", 0)
            return
        self._nvml("mig_mode", 1)
        sizes = {profile.name: profile.size for profile in before.scheme.profiles}
        for profile, start in wanted:
            self._make(profile, Place(start, sizes[profile]))

    def _make(self, profile: str, place: Place) -> None:
        gpu = self._gpu()
        names = profile_names(gpu.mig, gpu.memory_bytes or 1) if gpu.mig else {}
        number = next((number for number, name in names.items() if name == profile), None)
        if number is None:
            raise ActRefused(f"NVML knows no profile {profile} of this GPU")
        self._nvml("mig_make", number, place.start, place.size)

    def _read(self) -> Cut:
        cut = self._gpu().cut
        if cut is None:
            raise ActNotSupported("NVML knows no MIG profiles of this GPU, or shows them to root only")
        return cut


def _found(cut: Cut, layout: Layout) -> Change:
    found = change(cut, layout)
    if isinstance(found, Impossible):
        raise LayoutImpossible(found.text, found.rule)
    return found


def _places(cut: Cut) -> Iterator[tuple[str, int]]:
    return (_place(part) for part in cut.parts or ())


def _place(part: Part) -> tuple[str, int]:
    return part.profile, part.start


def _text(cut: Cut) -> str:
    if cut.parts is None:
        return f"no parts: it is {WHOLE}"
    return ", ".join(f"{part.profile} at slice {part.start}" for part in cut.parts) or "no parts"
