"""The devices of one node of a fleet file, as if they were in this host."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.fleet import FleetFile, SimulatedNode
from accel.drivers.fleet.cuts import NAME as CUTS_NAME
from accel.drivers.fleet.cuts import CutsFile
from accel.drivers.fleet.traces import traces_of
from accel.errors import ActNotSupported, DriverFailure, DriverUnavailable, InvalidFleet, LayoutImpossible
from accel.model.device import AttachHandle, Deployable, Device, DeviceType
from accel.model.layout import Change, Impossible, change
from accel.model.partition import Cut, Part
from accel.model.partition_facts import parts_text


class SimulatedDriver:
    """Plays the node that has this host's name in the fleet file; a change of the file is seen by the next look."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.StrOpt(
            "fleet_file",
            default="/etc/accel/fleet.yaml",
            help="The fleet file that describes this node's devices, a YAML file. The node is looked up by the option "
            "host of the group DEFAULT.",
        ),
    )
    scrub_methods: ClassVar[Sequence[str]] = ("zero",)

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host_name = host.name
        self._cuts = CutsFile(host.memory / CUTS_NAME)
        self._traces = traces_of(host.memory, host.name)
        self._file = FleetFile(host.root / options.fleet_file.lstrip("/"), self._cuts)

    def discover(self) -> Iterable[Device]:
        """The devices of the node with this host's name.

        :raises DriverUnavailable: there is no fleet file, or it does not describe this node
        :raises DriverFailure: the fleet file has a mistake
        """
        return self._node().devices()

    def partition(self, device: Device, layout: Mapping[str, int], progress: Progress) -> None:
        """Cut a card as the driver of a real one would: the smallest change, in no time.

        :raises ActNotSupported: it cannot be cut
        :raises LayoutImpossible: it cannot have these parts
        """
        node = self._node()
        place = next((place for place in node.places if place.address == device.address), None)
        cut = node.cut(place) if place else None
        if place is None or cut is None:
            raise ActNotSupported(f"{device.model} at {device.address} cannot be cut into parts")
        found = change(cut, layout)
        if isinstance(found, Impossible):
            raise LayoutImpossible(found.text, found.rule)
        for number, new in enumerate(found.made):
            progress(f"making {new.profile} at slice {new.place.start}", number / len(found.made))
        parts = None if not layout else (*found.kept, *_numbered(found))
        self._cuts.write(node.name, place.number, parts_text(Cut(scheme=cut.scheme, parts=parts)))

    def reset(self, device: Device, progress: Progress) -> None:
        """Reset a card, which takes no time, and leaves no trace."""
        progress(f"resetting {device.address}", None)

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load an image into an FPGA, whatever is in it.

        :raises ActNotSupported: the card is none
        """
        if device.type is not DeviceType.FPGA:
            raise ActNotSupported(f"{device.model} at {device.address} is no FPGA: nothing can be loaded into it")
        digest = sha256(image.read_bytes()).hexdigest()
        progress(f"loading {image.stat().st_size} bytes", 0.0)
        with self._traces.changed(deployable.name) as traces:
            traces.loaded = digest

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Take out what is loaded, and with it what its users have left."""
        progress(f"blanking {device.address}", None)
        with self._traces.changed(deployable.name) as traces:
            traces.loaded = ""
            traces.left.clear()

    def scrub(self, device: Device, deployable: Deployable, method: str, progress: Progress) -> None:
        """Take out what its users have left."""
        progress(f"{method}: {device.address}", None)
        with self._traces.changed(deployable.name) as traces:
            traces.left.clear()

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Note who has it."""
        del device, handle
        with self._traces.changed(deployable.name) as traces:
            if key not in traces.users:
                traces.users.append(key)

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Note who has had it."""
        del device, handle
        with self._traces.changed(deployable.name) as traces:
            if key in traces.users:
                traces.users.remove(key)
                traces.left.append(key)

    def _node(self) -> SimulatedNode:
        if not self._file.path.exists():
            raise DriverUnavailable(f"{self._file.path} does not exist", "write it, or set fleet_file of [simulated]")
        try:
            fleet = self._file.current()
        except InvalidFleet as error:
            raise DriverFailure(str(error), "mend the fleet file; it is read again at the next discovery") from error
        node = fleet.node(self._host_name)
        if node is None:
            some = ", ".join(node.name for node in fleet.nodes[:10])
            raise DriverUnavailable(
                f"{self._file.path} describes no node {self._host_name}",
                f"set [DEFAULT] host to one of its nodes ({some} …), or leave simulated out of enabled_drivers",
            )
        return node


def _numbered(found: Change) -> Iterator[Part]:
    """The new parts, with the smallest numbers that are free."""
    taken = {part.id for part in found.kept}
    free = (str(number) for number in count(1) if str(number) not in taken)
    return (
        Part(id=id_, profile=new.profile, start=new.place.start) for id_, new in zip(free, found.made, strict=False)
    )
