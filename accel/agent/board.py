"""Where everybody on the node sees what there is: the drivers' newest word, who has what, what is not to be had.

Each source says all that it knows at once, and what another source says stays as it is. Who waits for a change gets
the newest state, whatever came in between.

What is heard of a device before anybody has looked at it is shown at once, and believed until a look that began after
it has ended: that one knows better.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from threading import Condition

from accel.agent.device_nodes import device_nodes
from accel.drivers.base import Host
from accel.model.device import Device
from accel.model.health import Alarm, alarmed
from accel.model.identity import sightings
from accel.model.offer import HandleState, Holder, Offer, handles_of
from accel.model.report import NodeReport

Holders = Mapping[str, tuple[Holder, ...]]
"""By the id of the handle."""


class Board:
    """The state of the node, for any thread.

    :param host: where device nodes are looked for
    :param disregarded: the sources of alarms that do not count
    """

    def __init__(self, host: Host, *, disregarded: Collection[str] = ()) -> None:
        self._host = host
        self._disregarded = frozenset(disregarded)
        self._changed = Condition()
        self._offer = Offer(node=host.name, boot_id="", revision=0)
        self._seen: tuple[Device, ...] = ()
        self._alarms: dict[int, Alarm] = {}
        self._heard = 0
        self._nodes: dict[str, tuple[str, ...]] = {}
        self._drivers: dict[str, str] = {}
        self._holders: dict[str, Holders] = {}
        self._withdrawn: dict[str, Mapping[str, str]] = {}
        self._lent: Mapping[str, tuple[str, ...]] = {}
        self.when_held: Callable[[], None] = lambda: None
        """Called when a source says something else than before about who has what."""

    @property
    def offer(self) -> Offer:
        """How everything is now; revision 0 before the drivers have looked."""
        return self._offer

    def driver_of(self, identity: str) -> str:
        """The driver that a device was seen by.

        :raises KeyError: it has not been seen
        """
        return self._drivers[identity]

    @property
    def heard(self) -> int:
        """How many alarms there were so far."""
        return self._heard

    def alarm(self, *alarms: Alarm) -> None:
        """Something was heard of devices: it is shown before anybody looks."""
        with self._changed:
            for one in alarms:
                self._heard += 1
                self._alarms[self._heard] = one
            self._renew()

    def show(self, report: NodeReport, *, heard: int = 0) -> None:
        """The drivers have looked.

        :param heard: how many alarms there were when they began to: those are answered
        """
        # What follows from the signals of health is in the device; they themselves change all the time.
        seen = sightings(report)
        devices = tuple(sorted((replace(one.device, signals=()) for one in seen), key=lambda device: device.identity))
        nodes = {
            known_as: device_nodes(self._host, device, part, handle)
            for device in devices
            for known_as, part, handle in handles_of(device)
        }
        with self._changed:
            before = self._offer
            self._seen = devices
            self._alarms = {number: one for number, one in self._alarms.items() if number > heard}
            self._nodes = nodes
            self._drivers = {one.device.identity: one.driver for one in seen}
            self._offer = replace(before, node=report.node.name, boot_id=report.boot_id)
            self._renew(is_new=self._offer != before or not before.revision)

    def hold(self, source: str, holders: Holders) -> None:
        """A source says who has what, all of it."""
        said = {known_as: who for known_as, who in holders.items() if who}
        with self._changed:
            is_new = self._holders.get(source) != said
            self._holders[source] = said
            self._renew()
        if is_new:
            self.when_held()

    def withdraw(self, source: str, reasons: Mapping[str, str]) -> None:
        """A source says what nobody new is to get, and why, all of it."""
        with self._changed:
            self._withdrawn[source] = dict(reasons)
            self._renew()

    def lend(self, names: Mapping[str, tuple[str, ...]]) -> None:
        """Of these handles something is to be undone when whoever has them has gone; of all others nothing.

        :param names: what each was called when it was lent
        """
        with self._changed:
            self._lent = dict(names)
            self._renew()

    def holders(self, source: str) -> Holders | None:
        """What a source has said; None where it has not said anything yet."""
        return self._holders.get(source)

    def next(self, after: int, is_over: Callable[[], bool]) -> Offer | None:
        """The newest state once it is newer than a revision; None where nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: is_over() or self._offer.revision > after)
            return None if is_over() else self._offer

    def wake(self) -> None:
        """Let those who wait look whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def _renew(self, *, is_new: bool = False) -> None:
        """Put together what the sources say; a new revision where anything is another than before."""
        before = self._offer
        states = {known_as: state for known_as in self._nodes if (state := self._state(known_as)) != HandleState()}
        devices = tuple(alarmed(device, self._alarms.values(), self._disregarded) for device in self._seen)
        if not is_new and (states, devices) == (before.states, before.devices):
            return
        self._offer = replace(before, revision=before.revision + 1, devices=devices, states=states)
        self._changed.notify_all()

    def _state(self, known_as: str) -> HandleState:
        return HandleState(
            device_nodes=self._nodes[known_as],
            holders=tuple(who for one in self._holders.values() for who in one.get(known_as, ())),
            withdrawn="; ".join(one[known_as] for one in self._withdrawn.values() if known_as in one),
            lent_as=self._lent.get(known_as, ()),
        )
