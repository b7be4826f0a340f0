"""How near the devices of a captured host are, from what its kernel showed of them."""

from support.host_trees import captured

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, pci_functions
from accel.model.device import Device, DeviceType
from accel.model.topology import matrix


def _device(function: PciFunction) -> Device:
    return Device(
        identity=str(function.address),
        type=DeviceType.PCI,
        vendor=function.vendor,
        product=function.product,
        model="",
        address=function.address,
        numa_node=function.numa_node,
        pci_path=function.pci_path,
    )


def test_matrix_of_a_host_with_two_root_buses_and_a_switch() -> None:
    # A display and a drive behind one switch of NUMA node 0, a drive and a display at root ports of node 1.
    wanted = ("0000:23:00.0", "0000:24:00.0", "0000:81:00.0", "0000:82:00.0")
    host = Host(name="node-1", root=captured("qemu-2numa-boot"))

    devices = [_device(function) for function in pci_functions(host) if str(function.address) in wanted]

    assert matrix(devices) == (
        ("X", "PIX", "SYS", "SYS"),
        ("PIX", "X", "SYS", "SYS"),
        ("SYS", "SYS", "X", "PHB"),
        ("SYS", "SYS", "PHB", "X"),
    )
