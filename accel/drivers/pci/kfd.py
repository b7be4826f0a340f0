"""AMD GPUs in the words of the kernel's compute driver (KFD), for hosts whose PCI bus is not to be seen."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, names_in, read_text
from accel.model.address import PciAddress


def kfd_functions(host: Host) -> list[PciFunction]:
    """The PCI functions of the GPUs that KFD lists, by address; ids and address are all that is known of them.

    A GPU in partitions is listed once for each. They share its unique id, and all but the first have the partition's
    number where the function's number belongs.
    """
    nodes = host.sysfs / "class/kfd/kfd/topology/nodes"
    gpus = [properties for properties in _all_properties(nodes) if properties.get("simd_count", 0) > 0]
    found: dict[PciAddress, PciFunction] = {}
    seen: set[int] = set()
    for gpu in sorted(gpus, key=_address):
        unique_id, address = gpu.get("unique_id", 0), _address(gpu)
        if unique_id not in seen:
            found.setdefault(address, _function(host, gpu, address))
        seen.update({unique_id} - {0})
    return list(found.values())


def _all_properties(nodes: Path) -> Iterator[Mapping[str, int]]:
    for name in names_in(nodes):
        pairs = (line.split() for line in read_text(nodes / name / "properties").splitlines())
        yield {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _address(gpu: Mapping[str, int]) -> PciAddress:
    """``location_id`` has the bus in its upper byte, then five bits of device and three of function."""
    location = gpu.get("location_id", 0)
    return PciAddress(
        domain=gpu.get("domain", 0), bus=location >> 8 & 0xFF, device=location >> 3 & 0x1F, function=location & 0x7
    )


def _function(host: Host, gpu: Mapping[str, int], address: PciAddress) -> PciFunction:
    return PciFunction(
        address=address,
        path=host.sysfs / "bus/pci/devices" / str(address),
        vendor=f"{gpu.get('vendor_id', 0):04x}",
        product=f"{gpu.get('device_id', 0):04x}",
        class_code=None,
    )
