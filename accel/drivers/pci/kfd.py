"""AMD GPUs in the words of the kernel's compute driver (KFD), for hosts whose PCI bus is not to be seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, names_in, read_text
from accel.model.address import PciAddress
from accel.model.device import Device, Health


@dataclass(frozen=True, slots=True, kw_only=True)
class KfdGpu:
    """One GPU that KFD lists; ids, address and unique id are all that is known of it."""

    function: PciFunction
    serial: str
    """Its unique id in 16 hex digits, as the kernel writes it; empty for a GPU that has none."""
    shares_address: bool
    """Whether KFD names another GPU at the same address, which has it."""

    def identified(self, seen: Device, *, node: str) -> Device:
        """What the address tells of the GPU, under its unique id; without the address where that is another GPU's.

        :param node: the node's name
        """
        if not self.serial:
            return seen
        device = replace(seen, identity=f"serial:{self.serial}", serial=self.serial)
        if not self.shares_address:
            return device
        cards = (replace(seen.deployables[0], name=f"{node}_{self.serial}", num_accelerators=0, handles=()),)
        reason = (
            f"KFD names a second GPU at the same PCI address {seen.address}: it is not known how to hand this one out"
        )
        return replace(device, address=None, health=Health.UNKNOWN, reason=reason, deployables=cards)


def kfd_gpus(host: Host) -> list[KfdGpu]:
    """The GPUs that KFD lists, by address and unique id; of those without a unique id, one at each address.

    A GPU in partitions is listed once for each. They share its unique id, and all but the first have the partition's
    number where the function's number belongs.
    """
    nodes = host.sysfs / "class/kfd/kfd/topology/nodes"
    gpus = [properties for properties in _all_properties(nodes) if properties.get("simd_count", 0) > 0]
    found: list[KfdGpu] = []
    serials: set[str] = set()
    addresses: set[PciAddress] = set()
    for gpu in sorted(gpus, key=lambda gpu: (_address(gpu), _serial(gpu))):
        address, serial = _address(gpu), _serial(gpu)
        if serial not in serials if serial else address not in addresses:
            function = _function(host, gpu, address)
            found.append(KfdGpu(function=function, serial=serial, shares_address=address in addresses))
            addresses.add(address)
            serials.add(serial)
    return found


def _all_properties(nodes: Path) -> Iterator[Mapping[str, int]]:
    for name in names_in(nodes):
        pairs = (line.split() for line in read_text(nodes / name / "properties").splitlines())
        yield {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _serial(gpu: Mapping[str, int]) -> str:
    unique_id = gpu.get("unique_id", 0)
    return f"{unique_id:016x}" if unique_id else ""


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
