"""The ``intel_qat`` driver: Intel's QuickAssist devices, which compress and encrypt."""

from collections.abc import Sequence
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_board import FIT, Condition
from accel.drivers.pci_card import Knowledge, cards, is_of
from accel.drivers.sysfs import PciFunction, read_text
from accel.model.attribute import custom_trait
from accel.model.device import Device, DeviceType, Health

_DOWN = "down"


class IntelQatDriver(PciActs):
    """Reports the QuickAssist devices of a host, each with its virtual functions."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The devices, by address."""
        return cards(self._host, is_of(DeviceType.QAT, {"8086"}), _knowledge)


def _knowledge(function: PciFunction) -> Knowledge:
    state, services = (read_text(function.path / "qat" / name) for name in ("state", "cfg_services"))
    return Knowledge(
        facts={"state": state, "services": services},
        traits=[custom_trait("QAT", "SERVICE", service) for service in services.split(";") if service],
        condition=_condition(state),
    )


def _condition(state: str) -> Condition:
    """A device that its kernel driver has taken down serves nobody, its virtual functions included."""
    if state != _DOWN:
        return FIT
    return Condition(health=Health.UNHEALTHY, reason="its kernel driver has it down: write up into qat/state")
