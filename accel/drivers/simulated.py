"""The devices of one node of a fleet file, as if they were in this host."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.fleet import FleetFile
from accel.errors import DriverFailure, DriverUnavailable, InvalidFleet
from accel.model.device import Device


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

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host_name = host.name
        self._file = FleetFile(host.root / options.fleet_file.lstrip("/"))

    def discover(self) -> Iterable[Device]:
        """The devices of the node with this host's name.

        :raises DriverUnavailable: there is no fleet file, or it does not describe this node
        :raises DriverFailure: the fleet file has a mistake
        """
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
        return node.devices()
