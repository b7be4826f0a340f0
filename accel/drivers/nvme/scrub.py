"""Taking out what users leave on a drive or a namespace.

A sanitize is of the whole drive and goes on in it whatever becomes of us: asked again, we find it running and wait for
its end. A format with secure erase is of a namespace, or of all at once if the controller says so. Zeros are written by
the host.

Nothing is begun unless nobody is harmed: see ``Scrub.check``. When it is done, the drive's own word and samples of what
was there must say the same.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.host_use import HostUse
from accel.drivers.nvme import samples
from accel.drivers.nvme.commands import FORMATS, SANITIZES, Capabilities, Method, SanitizeState, SanitizeStatus
from accel.drivers.nvme.controller import AdminController
from accel.drivers.nvme.known import KnownDrive
from accel.drivers.nvme.subsystems import Namespace
from accel.drivers.open_nodes import check_unused
from accel.drivers.sysfs import names_in
from accel.errors import (
    ActFailed,
    ActNotSupported,
    ActRefused,
    NotVerified,
    UsedByHost,
    VirtualFunctionsInUse,
)

BEST = "best"
"""The best way that the controller supports and that reaches no further than it may."""
_STEP_BYTES = 256 << 20
_LIVE = "live"
_IN_THE_DRIVE = "the drive does it by itself, and goes on with it whatever becomes of whoever has asked for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrub:
    """What is to be erased, and what must not be."""

    host: Host
    known: KnownDrive
    namespaces: tuple[Namespace, ...]
    """Those that are to be erased."""
    is_whole: bool
    """Whether all of the drive is to be."""
    look_every_seconds: float
    """How often the drive is asked how far it is."""

    def run(self, wanted: str, progress: Progress) -> None:
        """Erase.

        :param wanted: a ``Method``, or ``BEST``
        :raises ActRefused: it cannot be; nothing has been changed
        :raises ActFailed: it went wrong on the way, or is not verified
        """
        progress("looking whether anybody uses it")
        self._check_state()
        controller = AdminController(self.host, self.known.ports[0].name)
        can = controller.capabilities()
        runs = self._running(controller, can)
        hidden = self._hidden(controller, can)
        self._check_others(controller, can)
        method = self._running_method(runs, wanted) if runs else self._chosen(wanted, can, hidden)
        self._check_use(is_all=self._reaches_all(method, can))
        if method in SANITIZES:
            self._sanitize(controller, method, progress, is_begun=runs is not None)
        elif method in FORMATS:
            self._format(controller, method, can, progress)
        else:
            self._zero(progress)
        progress(f"erased by {method}, verified", 1.0)

    # --- whether it may be ---

    def _check_state(self) -> None:
        for port in self.known.ports:
            if port.state != _LIVE:
                raise ActRefused(
                    f"controller {port.name} is {port.state or 'in no known state'}", "it must be live to be erased"
                )
        if self.known.virtual_functions:
            count = len(self.known.virtual_functions)
            raise VirtualFunctionsInUse(
                f"it has {count} virtual functions, whose users it would hit", "take the virtual functions away first"
            )

    def _check_use(self, *, is_all: bool) -> None:
        """The root disk, anything mounted or swapped to, what other block devices hold, and what programs have open."""
        use = HostUse(self.host)
        numbers = {one.number for one in self.namespaces}
        reached = [one for one in self.known.drive.namespaces if is_all or one.number in numbers]
        for namespace in reached:
            uses = use.of_disk(namespace.directory)
            if uses:
                raise UsedByHost(f"{namespace.name} is used by the host: {', '.join(uses)}", "unmount it first")
        check_unused(self.host, {f"/dev/{name}" for one in reached for name in _nodes(one)})

    def _check_others(self, controller: AdminController, can: Capabilities) -> None:
        """A drive with controllers that are not this host's may be another host's, too."""
        mine = {port.number for port in self.known.drive.controllers}
        if None in mine or not can.has_company:
            return
        own = {one.number for one in controller.secondaries(can)}
        strange = set(controller.controllers()) - mine - own
        if strange:
            names = ", ".join(map(str, sorted(strange)))
            raise ActRefused(
                f"the drive has controllers that this host does not see ({names})", "another host may use the drive"
            )

    def _hidden(self, controller: AdminController, can: Capabilities) -> Sequence[int]:
        """Namespaces that this host does not see."""
        if not can.has_namespace_lists:
            return ()
        return sorted(set(controller.namespaces()) - {one.number for one in self.known.drive.namespaces})

    # --- how ---

    def _running(self, controller: AdminController, can: Capabilities) -> SanitizeStatus | None:
        """The sanitize that runs already."""
        if not can.methods & SANITIZES.keys():
            return None
        status = controller.sanitize_status()
        return status if status.state is SanitizeState.RUNNING else None

    def _running_method(self, runs: SanitizeStatus, wanted: str) -> Method:
        """What runs already erases everything, whoever has begun it: it is waited for."""
        known = {action: method for method, action in SANITIZES.items()}
        method = known.get(runs.action)
        if method is None or wanted not in (BEST, method):
            raise ActRefused(f"the drive sanitizes already, by {method or 'an unknown action'}", "wait for its end")
        return method

    def _chosen(self, wanted: str, can: Capabilities, hidden: Sequence[int]) -> Method:
        if wanted != BEST:
            method = _method(wanted)
            reason = self._why_not(method, can, hidden)
            if reason:
                raise ActNotSupported(f"{method} cannot be done: {reason}", self._instead(can, hidden))
            return method
        found = next((method for method in Method if not self._why_not(method, can, hidden)), None)
        if found is None:
            raise ActNotSupported(f"nothing erases it alone: {self._why_not(Method.ZERO, can, hidden)}")
        return found

    def _instead(self, can: Capabilities, hidden: Sequence[int]) -> str:
        return "what can: " + (", ".join(m for m in Method if not self._why_not(m, can, hidden)) or "nothing")

    def _why_not(self, method: Method, can: Capabilities, hidden: Sequence[int]) -> str:
        """Why a method cannot be taken; empty if it can."""
        if method not in can.methods:
            return "the controller does not support it"
        mine = {one.number for one in self.namespaces}
        others = sorted({*(one.number for one in self.known.drive.namespaces), *hidden} - mine)
        if self._reaches_all(method, can):
            names = ", ".join(map(str, others))
            return "" if self.is_whole or not others else f"it would erase namespaces {names} of the drive, too"
        if self.is_whole and hidden:
            return f"it does not reach namespaces {', '.join(map(str, hidden))}, which this host does not see"
        return "" if self.namespaces else "no namespace is to be seen"

    def _reaches_all(self, method: Method, can: Capabilities) -> bool:
        return method in SANITIZES or (method in FORMATS and can.formats_all)

    # --- doing it ---

    def _sanitize(self, controller: AdminController, method: Method, progress: Progress, *, is_begun: bool) -> None:
        before = {} if is_begun else samples.take(self.host, self.namespaces)
        progress(f"{method} in the drive", 0.0, must_go_on=_IN_THE_DRIVE)
        if not is_begun:
            controller.sanitize(method)
        while (status := self._asked(controller)).state is SanitizeState.RUNNING:
            progress(f"{method} in the drive", status.fraction, must_go_on=_IN_THE_DRIVE)
            time.sleep(self.look_every_seconds)
        if not status.is_done or status.action != SANITIZES[method]:
            raise ActFailed(f"{method} has ended and the drive says {status.state.name.lower()}", "replace the drive")
        samples.check_gone(before, self._taken_again() if before else {})

    def _asked(self, controller: AdminController) -> SanitizeStatus:
        """How far it is; by now, what goes wrong leaves a drive of which nobody knows."""
        try:
            return controller.sanitize_status()
        except (ActRefused, OSError) as error:
            raise ActFailed(f"the drive does not say any more how far it is: {error}", "do it again") from error

    def _format(self, controller: AdminController, method: Method, can: Capabilities, progress: Progress) -> None:
        before = samples.take(self.host, self.namespaces)
        for done, namespace in enumerate(self.namespaces):
            progress(f"{method} of {namespace.name}", done / len(self.namespaces), must_go_on=_IN_THE_DRIVE)
            try:
                controller.format(method, namespace.number)
            except (ActRefused, OSError) as error:
                if done == 0 and isinstance(error, ActRefused):
                    raise
                raise ActFailed(f"{namespace.name}: {error}", "do it again") from error
            if can.formats_all:
                break
        samples.check_gone(before, self._taken_again())

    def _zero(self, progress: Progress) -> None:
        samples.take(self.host, self.namespaces)  # whether it could be verified afterwards
        sizes = [namespace.capacity_bytes or 0 for namespace in self.namespaces]
        done, whole = 0, sum(sizes)
        for namespace, size in zip(self.namespaces, sizes, strict=True):
            for offset in range(0, size, _STEP_BYTES):
                progress(f"writing zeros to {namespace.name}, {offset >> 20} of {size >> 20} MiB", done / whole)
                length = min(_STEP_BYTES, size - offset)
                try:
                    self.host.privileged.zero_blocks(self.host.dev / namespace.name, offset, length)
                except OSError as error:
                    kind = ActFailed if done else ActRefused
                    raise kind(f"{namespace.name} cannot be written: {error}") from error
                done += length
        samples.check_zero(self._taken_again())

    def _taken_again(self) -> samples.Samples:
        """Samples of what has been erased."""
        try:
            return samples.take(self.host, self.namespaces)
        except ActRefused as error:
            raise NotVerified(str(error), "do not hand the drive out") from error


def _nodes(namespace: Namespace) -> list[str]:
    """The names of a namespace and its partitions."""
    partitions = [name for name in names_in(namespace.directory) if name.startswith(f"{namespace.name}p")]
    return [namespace.name, *partitions]


def _method(wanted: str) -> Method:
    try:
        return Method(wanted)
    except ValueError as error:
        raise ActNotSupported(
            f"{wanted!r} is no way to erase a drive", f"the ways: {BEST}, {', '.join(Method)}"
        ) from error
