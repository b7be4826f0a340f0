"""Any accelerator on the PCI bus that no driver of its own looks after."""

from accel.drivers.pci.driver import PciDriver

__all__ = ["PciDriver"]
