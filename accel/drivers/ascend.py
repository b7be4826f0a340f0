"""The ``ascend`` driver: Huawei's Ascend processors for neural networks."""

import re
from collections.abc import Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_card import NODES, Knowledge, cards, is_of
from accel.drivers.sysfs import PciFunction, names_in
from accel.model.device import Device, DeviceType

_NODE = re.compile(r"davinci\d+")
_SHARED_NODES = ("davinci_manager", "devmm_svm", "hisi_hdc")
"""What every process that uses a processor opens beside the processor's own node."""


class AscendDriver(PciActs):
    """Reports the Ascend processors of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The processors, by address."""
        is_ascend = is_of(DeviceType.AICHIP, {"19e5"})
        return cards(self._host, is_ascend, self._knowledge)

    def _knowledge(self, function: PciFunction) -> Knowledge:
        return Knowledge(facts={NODES: self._nodes()} if function.kernel_driver else {})

    def _nodes(self) -> str:
        """The nodes of a processor, where there is one only.

        Among several, files do not tell which node is whose: the kernel driver numbers them by its own order.
        """
        there = names_in(self._host.dev)
        own = [name for name in there if _NODE.fullmatch(name)]
        if len(own) != 1:
            return ""
        return ", ".join(f"/dev/{name}" for name in (*own, *_SHARED_NODES) if name in there)
