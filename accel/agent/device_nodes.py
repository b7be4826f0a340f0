"""Which nodes below ``/dev`` the user of a handle opens, as far as the host tells.

A node that is named and not there keeps a container from starting, so only those that are there are named; of a
captured host, which has no ``/dev``, all.
"""

import re
from collections.abc import Iterable, Iterator

from accel.drivers.base import Host
from accel.drivers.pci_card import NODES
from accel.drivers.sysfs import link_name, names_in, read_text
from accel.model.address import PciAddress
from accel.model.device import AttachHandle, Deployable, Device, HandleType

DEVICE_NODE = "device_node"
"""The attribute of a part that names its own node."""

_NVIDIA = "10de"
_NVIDIA_SHARED = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
_CAPABILITY_MINOR = re.compile(r"DeviceFileMinor:\s*(\d+)")
_VFIO = "vfio-pci"
_DRM_NODE = re.compile(r"(card|renderD)\d+")
_ADDRESS_KEYS = ("domain", "bus", "device", "function")


def device_nodes(host: Host, device: Device, part: Deployable, handle: AttachHandle) -> tuple[str, ...]:
    """The paths, each once, those of the handle itself first."""
    named = dict.fromkeys(_named(host, device, part, handle))
    is_live = (host.dev / "null").exists()
    return tuple(path for path in named if not is_live or (host.root / path.lstrip("/")).exists())


def _named(host: Host, device: Device, part: Deployable, handle: AttachHandle) -> Iterator[str]:
    if handle.type is HandleType.DEVICE_NODE:
        yield handle.info["path"]
        yield from _listed(handle.info.get("shared", ""))
    elif handle.type is HandleType.MIG:
        yield from _nvidia(device)
        yield from _capabilities(host, device, handle)
    elif handle.type is HandleType.PCI:
        yield from _of_function(host, device, _address(handle))
    yield from (one.value for one in part.attributes if one.key == DEVICE_NODE)


def _of_function(host: Host, device: Device, address: PciAddress) -> Iterator[str]:
    function = host.sysfs / "bus/pci/devices" / str(address)
    if link_name(function / "driver") == _VFIO:
        group = link_name(function / "iommu_group")
        yield from ("/dev/vfio/vfio", f"/dev/vfio/{group}") if group else ()
    elif address not in device.functions:  # a virtual function has nodes of its own
        yield from (f"/dev/dri/{name}" for name in names_in(function / "drm") if _DRM_NODE.fullmatch(name))
    elif device.vendor == _NVIDIA:
        yield from _nvidia(device)
    else:
        yield from _listed(device.std_board_info.get(NODES, ""))


def _nvidia(device: Device) -> Iterable[str]:
    minor = device.std_board_info.get("minor")
    return () if minor is None else (f"/dev/nvidia{minor}", *_NVIDIA_SHARED)


def _capabilities(host: Host, device: Device, handle: AttachHandle) -> Iterator[str]:
    """The nodes that let a process use an instance of a GPU, and the compute instance in it."""
    gpu = host.proc / f"driver/nvidia/capabilities/gpu{device.std_board_info.get('minor', '')}/mig"
    instance = gpu / f"gi{handle.info['gpu_instance_id']}"
    for access in (instance / "access", instance / f"ci{handle.info['compute_instance_id']}" / "access"):
        found = _CAPABILITY_MINOR.search(read_text(access))
        if found:
            yield f"/dev/nvidia-caps/nvidia-cap{found[1]}"


def _address(handle: AttachHandle) -> PciAddress:
    return PciAddress(*(int(handle.info[key], 16) for key in _ADDRESS_KEYS))


def _listed(text: str) -> Iterator[str]:
    yield from filter(None, (path.strip() for path in text.split(",")))
