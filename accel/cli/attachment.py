"""What a hypervisor or a container engine is told so that a workload gets an attach handle.

Each format is a function from the handle to a text. One that cannot name the handle says why, and whoever asked is told
which formats can.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from accel.cli.errors import CommandFailed, WrongUse
from accel.model.address import PciAddress
from accel.model.device import HandleType, host_nqn

CDI_KIND = "accel.internal/device"
"""The kind of the devices that we describe; ``internal`` is the top-level domain that belongs to nobody."""
_CDI_VERSION = "0.6.0"
_NVIDIA_KIND = "nvidia.com/gpu"
_NVIDIA = "10de"
_PASSED_THROUGH = "vfio-pci"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of the device that a handle is of."""

    identity: str
    vendor: str
    address: str | None
    kernel_driver: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """An attach handle that a request holds."""

    uuid: str
    type: str
    """One of ``HandleType``, or what a newer server has."""
    info: Mapping[str, str]
    card: Card | None
    """None where the caller may not see devices."""


class Unsuitable(CommandFailed):
    """A format cannot name a handle; the text says why."""

    code = "accel.cli.unsuitable"


def libvirt_xml(handle: Handle) -> str:
    """A ``<hostdev>`` or ``<disk>`` for the ``<devices>`` of a domain, or ``virsh attach-device``.

    As in "Host device assignment" and "Hard drives" of libvirt's "Domain XML format". A function is bound to vfio-pci
    by libvirt itself, ``managed``, unless the handle says that it is not to be: NVIDIA's virtual functions have a
    driver of their own.

    :raises Unsuitable: a virtual machine cannot be given it
    """
    if handle.type == HandleType.VHOST_USER:
        return _vhost_xml(handle)
    if handle.type == HandleType.MDEV:
        opening = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
        address = f"<address uuid='{handle.uuid}'/>"
    else:
        managed = "no" if handle.info.get("managed") == "false" else "yes"
        opening = f"<hostdev mode='subsystem' type='pci' managed='{managed}'>"
        where = _function(handle)
        address = (
            f"<address domain='0x{where.domain:04x}' bus='0x{where.bus:02x}' "
            f"slot='0x{where.device:02x}' function='0x{where.function:x}'/>"
        )
    return f"{opening}\n  <source>\n    {address}\n  </source>\n</hostdev>"


def _vhost_xml(handle: Handle) -> str:
    """A disk; the memory of the domain must be shared."""
    if handle.info.get("device") != "blk":
        raise Unsuitable("libvirt attaches disks by vhost-user, and this is a SCSI controller")
    path = escape(handle.info["path"], {"'": "&apos;"})
    return (
        "<disk type='vhostuser' device='disk'>\n  <driver name='qemu' type='raw'/>\n"
        f"  <source type='unix' path='{path}'/>\n  <target dev='vdb' bus='virtio'/>\n</disk>"
    )


def qemu(handle: Handle) -> str:
    """Arguments for ``qemu-system-…``.

    As in "VFIO" of the kernel's documentation and "VFIO Mediated devices" of its driver API, and for vhost-user as in
    "vhost Target" of SPDK's documentation. QEMU binds nothing: a function must be bound to vfio-pci before.

    :raises Unsuitable: a virtual machine cannot be given it
    """
    if handle.type == HandleType.VHOST_USER:
        name, path = f"accel-{handle.uuid}", handle.info["path"].replace(",", ",,")
        socket = shlex.quote(f"socket,id={name},path={path}")
        return f"-chardev {socket} -device vhost-user-{handle.info['device']}-pci,chardev={name}"
    if handle.type == HandleType.MDEV:
        return f"-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/{handle.uuid}"
    return f"-device vfio-pci,host={_function(handle)}"


def docker(handle: Handle) -> str:
    """Arguments for ``docker run``.

    A MIG instance is named to the NVIDIA Container Toolkit as in "Running with Docker" of NVIDIA's MIG user guide, a
    whole GPU by its name in CDI.

    :raises Unsuitable: a container cannot be given it
    """
    if handle.type == HandleType.DEVICE_NODE:
        return " ".join(f"--device {shlex.quote(path)}" for path in _paths(handle))
    if handle.type == HandleType.MIG:
        return f"--gpus device={shlex.quote(handle.info['uuid'])}"
    return f"--device {_NVIDIA_KIND}={_gpu_uuid(handle)}"


def cdi(handles: Sequence[Handle]) -> str:
    """What to say to any engine that knows the Container Device Interface.

    For what NVIDIA's toolkit describes, the names by which it does: ``nvidia-ctk cdi generate`` names GPUs and MIG
    instances by UUID too, as its option ``--device-name-strategy`` says. For paths below /dev, a description of our
    own, which is to be a file below ``/etc/cdi`` or ``/var/run/cdi``: version 0.6.0 of the specification.

    :raises Unsuitable: a container cannot be given one of them, or some are named and some described
    """
    paths = [handle for handle in handles if handle.type == HandleType.DEVICE_NODE]
    names = [_cdi_name(handle) for handle in handles if handle.type != HandleType.DEVICE_NODE]
    if paths and names:
        raise Unsuitable("some of them are to be named and some to be described: ask for each alone")
    return _cdi_specification(paths) if paths else "\n".join(names)


def nvme_cli(handle: Handle) -> str:
    """The command of nvme-cli that connects a host to a subsystem, as its manual page ``nvme-connect`` has it.

    Only whoever comes by the name that is made of the handle's UUID is let in.

    :raises Unsuitable: it is no subsystem
    """
    if handle.type != HandleType.NVME_OF:
        raise Unsuitable("only NVMe-oF subsystems are connected to")
    info = handle.info
    arguments = {
        "transport": info["transport"].lower(),
        "traddr": info["address"],
        "trsvcid": info.get("service", ""),
        "nqn": info["nqn"],
        "hostnqn": host_nqn(handle.uuid),
    }
    return " ".join(["nvme connect", *(f"--{name}={shlex.quote(value)}" for name, value in arguments.items() if value)])


def _cdi_name(handle: Handle) -> str:
    uuid = handle.info["uuid"] if handle.type == HandleType.MIG else _gpu_uuid(handle)
    return f"{_NVIDIA_KIND}={uuid}"


def _paths(handle: Handle) -> Iterator[str]:
    """The device's own node, then what all devices of its kind share."""
    yield handle.info["path"]
    if "shared" in handle.info:
        yield handle.info["shared"]


def _cdi_specification(handles: Iterable[Handle]) -> str:
    devices = [
        {"name": handle.uuid, "containerEdits": {"deviceNodes": [{"path": path} for path in _paths(handle)]}}
        for handle in handles
    ]
    return json.dumps({"cdiVersion": _CDI_VERSION, "kind": CDI_KIND, "devices": devices}, indent=2)


def _each(write: Callable[[Handle], str]) -> Callable[[Sequence[Handle]], str]:
    return lambda handles: "\n".join(map(write, handles))


FORMATS: Mapping[str, Callable[[Sequence[Handle]], str]] = {
    "libvirt-xml": _each(libvirt_xml),
    "qemu": _each(qemu),
    "cdi": cdi,
    "docker": _each(docker),
    "nvme-cli": _each(nvme_cli),
}


def every(handles: Sequence[Handle]) -> tuple[dict[str, str], dict[str, str]]:
    """Handles in each format that can name them all, and why the others cannot."""
    texts, reasons = {}, {}
    for name, write in FORMATS.items():
        try:
            texts[name] = write(handles)
        except Unsuitable as error:
            reasons[name] = str(error)
    return texts, reasons


def write(handles: Sequence[Handle], name: str) -> str:
    """Handles in one of the formats.

    :raises WrongUse: it cannot name one of them; the text says which can
    """
    try:
        return FORMATS[name](handles)
    except Unsuitable as error:
        texts, _ = every(handles)
        raise WrongUse(f"--format {name}: {error}; it can be had as: {', '.join([*texts, 'json'])}") from error


_ONLY_FOR_TESTS = "a handle of type TEST_PCI is for tests, and nothing is behind it"
_OVER_THE_NETWORK = "an NVMe-oF subsystem is connected to over the network"
_NO_FUNCTION: Mapping[str, str] = {
    HandleType.NVME_OF: _OVER_THE_NETWORK,
    HandleType.MIG: "a MIG instance is no PCI function, and only those can be given to a virtual machine",
    HandleType.DEVICE_NODE: "a path below /dev is for containers",
    HandleType.TEST_PCI: _ONLY_FOR_TESTS,
}
_NO_GPU: Mapping[str, str] = {
    HandleType.NVME_OF: _OVER_THE_NETWORK,
    HandleType.VHOST_USER: "a vhost-user socket is for virtual machines",
    HandleType.MDEV: "a mediated device is for virtual machines",
    HandleType.TEST_PCI: _ONLY_FOR_TESTS,
}
_WHOLE_GPUS_ONLY = "of PCI functions a container can be given whole NVIDIA GPUs only"


def _function(handle: Handle) -> PciAddress:
    if handle.type != HandleType.PCI:
        raise Unsuitable(_NO_FUNCTION.get(handle.type) or _unknown(handle))
    return PciAddress(*(int(handle.info[part], 16) for part in ("domain", "bus", "device", "function")))


def _gpu_uuid(handle: Handle) -> str:
    """The UUID of the NVIDIA GPU that a PCI function is the whole of."""
    if handle.type != HandleType.PCI:
        raise Unsuitable(_NO_GPU.get(handle.type) or _unknown(handle))
    function, card = str(_function(handle)), handle.card
    if card is None:
        raise Unsuitable(f"{_WHOLE_GPUS_ONLY}, and you may not see what device {function} is")
    if card.vendor != _NVIDIA or not card.identity.startswith("GPU-") or card.address != function:
        raise Unsuitable(f"{_WHOLE_GPUS_ONLY}, and {function} is none")
    if card.kernel_driver == _PASSED_THROUGH:
        raise Unsuitable(f"{function} is bound to {_PASSED_THROUGH}; for containers its driver must be nvidia")
    return card.identity


def _unknown(handle: Handle) -> str:
    return f"this release of accel does not know handles of type {handle.type}"
