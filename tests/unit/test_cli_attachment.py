"""What is told to hypervisors and container engines, for every type of handle."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from accel.cli import attachment
from accel.cli.attachment import Card, Handle
from accel.cli.errors import WrongUse
from accel.model.device import HandleType

UUID = "7d8c1c4e-0f5b-4a0e-9f3e-2b1d6c7a9e10"
GPU = "GPU-5e1c2d3b-9a48-4f7e-8b21-0c6f5d4e3a29"
MIG = "MIG-8a1f0b7c-63de-5c1e-b0a4-9f2d7e6c5b4a"
FUNCTION = {"domain": "0000", "bus": "3b", "device": "00", "function": "0"}
WHOLE_GPU = Card(identity=GPU, vendor="10de", address="0000:3b:00.0", kernel_driver="nvidia")

CDI_SCHEMA = {
    "type": "object",
    "required": ["cdiVersion", "kind", "devices"],
    "additionalProperties": False,
    "properties": {
        "cdiVersion": {"const": "0.6.0"},
        "kind": {"pattern": r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9-]+/[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$"},
        "devices": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "containerEdits"],
                "additionalProperties": False,
                "properties": {
                    "name": {"pattern": r"^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$"},
                    "containerEdits": {
                        "type": "object",
                        "required": ["deviceNodes"],
                        "additionalProperties": False,
                        "properties": {
                            "deviceNodes": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["path"],
                                    "additionalProperties": False,
                                    "properties": {"path": {"pattern": "^/dev/"}},
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}
"""The part of the schema of the Container Device Interface 0.6.0 that we use."""


def handle(type_: str, card: Card | None = WHOLE_GPU, **info: str) -> Handle:
    return Handle(uuid=UUID, type=type_, info=info, card=card)


PCI = handle("PCI", **FUNCTION)
MDEV = handle("MDEV", **FUNCTION, asked_type="nvidia-223")
MIG_INSTANCE = handle("MIG", uuid=MIG, parent=GPU)
DEVICE_NODE = handle("DEVICE_NODE", None, path="/dev/nvme3")
PARTITION = handle("DEVICE_NODE", None, path="/dev/dri/renderD129", shared="/dev/kfd")
TEST_PCI = handle("TEST_PCI", domain="0000", bus="0c", device="1", function="7")
NVME_OF = handle(
    "NVME_OF", None, nqn="nqn.2016-06.io.spdk:c 1", transport="TCP", family="IPv4", address="192.0.2.10", service="4420"
)
VHOST = handle("VHOST_USER", None, path="/run/vhost.0", device="blk")
VHOST_SCSI = handle("VHOST_USER", None, path="/run/a,b 'c", device="scsi")
ALL = (PCI, MDEV, MIG_INSTANCE, DEVICE_NODE, TEST_PCI, NVME_OF, VHOST)

HOSTDEV = """\
<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/>
  </source>
</hostdev>"""
HOSTDEV_MDEV = f"""\
<hostdev mode='subsystem' type='mdev' model='vfio-pci'>
  <source>
    <address uuid='{UUID}'/>
  </source>
</hostdev>"""

DISK = """\
<disk type='vhostuser' device='disk'>
  <driver name='qemu' type='raw'/>
  <source type='unix' path='/run/vhost.0'/>
  <target dev='vdb' bus='virtio'/>
</disk>"""


@pytest.mark.parametrize(
    ("given", "name", "text"),
    [
        (PCI, "libvirt-xml", HOSTDEV),
        (PCI, "qemu", "-device vfio-pci,host=0000:3b:00.0"),
        (PCI, "docker", f"--device nvidia.com/gpu={GPU}"),
        (PCI, "cdi", f"nvidia.com/gpu={GPU}"),
        (MDEV, "libvirt-xml", HOSTDEV_MDEV),
        (MDEV, "qemu", f"-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/{UUID}"),
        (MIG_INSTANCE, "docker", f"--gpus device={MIG}"),
        (MIG_INSTANCE, "cdi", f"nvidia.com/gpu={MIG}"),
        (DEVICE_NODE, "docker", "--device /dev/nvme3"),
        (PARTITION, "docker", "--device /dev/dri/renderD129 --device /dev/kfd"),
        (VHOST, "libvirt-xml", DISK),
        (
            VHOST,
            "qemu",
            f"-chardev socket,id=accel-{UUID},path=/run/vhost.0 -device vhost-user-blk-pci,chardev=accel-{UUID}",
        ),
        (
            VHOST_SCSI,
            "qemu",
            (
                f"-chardev 'socket,id=accel-{UUID},path=/run/a,,b '\"'\"'c' "
                f"-device vhost-user-scsi-pci,chardev=accel-{UUID}"
            ),
        ),
        (
            NVME_OF,
            "nvme-cli",
            (
                "nvme connect --transport=tcp --traddr=192.0.2.10 --trsvcid=4420 --nqn='nqn.2016-06.io.spdk:c 1' "
                f"--hostnqn=nqn.2026-11.internal.accel:host:{UUID}"
            ),
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Handle) else None,
)
def test_a_handle_is_written_as_the_format_has_it(given: Handle, name: str, text: str) -> None:
    assert attachment.write([given], name) == text


@pytest.mark.parametrize("given", [PCI, MDEV], ids=["PCI", "MDEV"])
def test_what_libvirt_gets_is_xml(given: Handle) -> None:
    (address,) = ET.fromstring(attachment.libvirt_xml(given)).iter("address")  # noqa: S314 - our own text
    assert address.attrib


def test_a_domain_of_more_than_four_digits_is_written_whole() -> None:
    far = handle("PCI", None, **{**FUNCTION, "domain": "10000"})
    assert "domain='0x10000'" in attachment.libvirt_xml(far)
    assert attachment.qemu(far) == "-device vfio-pci,host=10000:3b:00.0"


def test_a_function_that_libvirt_is_not_to_bind_is_left_alone() -> None:
    assert "managed='no'" in attachment.libvirt_xml(handle("PCI", **FUNCTION, managed="false"))


def test_a_path_is_described_as_the_container_device_interface_has_it() -> None:
    spec = json.loads(attachment.cdi([DEVICE_NODE]))
    jsonschema.validate(spec, CDI_SCHEMA)
    assert spec["devices"] == [{"name": UUID, "containerEdits": {"deviceNodes": [{"path": "/dev/nvme3"}]}}]


def test_several_paths_are_one_description() -> None:
    spec = json.loads(attachment.cdi([DEVICE_NODE, replace(DEVICE_NODE, uuid=MIG, info={"path": "/dev/nvme4"})]))
    jsonschema.validate(spec, CDI_SCHEMA)
    assert [device["name"] for device in spec["devices"]] == [UUID, MIG]


def test_several_handles_are_written_one_after_the_other() -> None:
    names = attachment.write([PCI, MIG_INSTANCE], "cdi")
    assert names == f"nvidia.com/gpu={GPU}\nnvidia.com/gpu={MIG}"
    assert attachment.write([PCI, MDEV], "libvirt-xml") == f"{HOSTDEV}\n{HOSTDEV_MDEV}"


def test_a_format_must_be_able_to_name_all_handles() -> None:
    with pytest.raises(WrongUse, match=r"a MIG instance is no PCI function.*; it can be had as: cdi, docker, json"):
        attachment.write([PCI, MIG_INSTANCE], "qemu")
    with pytest.raises(WrongUse, match="ask for each alone; it can be had as: docker, json"):
        attachment.write([DEVICE_NODE, MIG_INSTANCE], "cdi")


def test_a_path_with_a_blank_stays_one_argument() -> None:
    assert attachment.docker(handle("DEVICE_NODE", path="/dev/a b")) == "--device '/dev/a b'"


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        (MIG_INSTANCE, "libvirt-xml", "a MIG instance is no PCI function"),
        (MIG_INSTANCE, "qemu", "it can be had as: cdi, docker, json"),
        (DEVICE_NODE, "qemu", "a path below /dev is for containers; it can be had as: cdi, docker, json"),
        (MDEV, "docker", "a mediated device is for virtual machines; it can be had as: libvirt-xml, qemu, json"),
        (MDEV, "cdi", "--format cdi: a mediated device"),
        (TEST_PCI, "libvirt-xml", "nothing is behind it; it can be had as: json"),
        (TEST_PCI, "docker", "nothing is behind it; it can be had as: json"),
        (handle("SOMETHING"), "cdi", "does not know handles of type SOMETHING; it can be had as: json"),
        (NVME_OF, "qemu", "connected to over the network; it can be had as: nvme-cli, json"),
        (NVME_OF, "docker", "connected to over the network"),
        (VHOST, "cdi", "a vhost-user socket is for virtual machines; it can be had as: libvirt-xml, qemu, json"),
        (VHOST_SCSI, "libvirt-xml", "this is a SCSI controller; it can be had as: qemu, json"),
        (PCI, "nvme-cli", "only NVMe-oF subsystems are connected to"),
        (handle("SOMETHING"), "qemu", "does not know handles of type SOMETHING"),
    ],
    ids=lambda value: value.type if isinstance(value, Handle) else None,
)
def test_a_format_that_cannot_name_a_handle_says_why_and_which_can(given: Handle, name: str, said: str) -> None:
    with pytest.raises(WrongUse) as caught:
        attachment.write([given], name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (None, "you may not see what device 0000:3b:00.0 is"),
        (Card(identity="GPU-1", vendor="1002", address="0000:3b:00.0", kernel_driver="amdgpu"), "0000:3b:00.0 is none"),
        (Card(identity="serial:1", vendor="10de", address="0000:3b:00.0", kernel_driver=None), "0000:3b:00.0 is none"),
        (Card(identity=GPU, vendor="10de", address="0000:3b:00.4", kernel_driver="nvidia"), "0000:3b:00.0 is none"),
        (Card(identity=GPU, vendor="10de", address="0000:3b:00.0", kernel_driver="vfio-pci"), "is bound to vfio-pci"),
    ],
    ids=["unseen", "another vendor", "no GPU UUID", "a virtual function of it", "passed through"],
)
def test_a_container_gets_whole_nvidia_gpus_only(card: Card | None, said: str) -> None:
    for name in ("docker", "cdi"):
        with pytest.raises(WrongUse, match="can be had as: libvirt-xml, qemu, json") as caught:
            attachment.write([handle("PCI", card, **FUNCTION)], name)
        assert said in str(caught.value)


@pytest.mark.parametrize("given", ALL, ids=lambda given: given.type)
def test_every_format_either_names_a_handle_or_says_why_not(given: Handle) -> None:
    texts, reasons = attachment.every([given])
    assert sorted([*texts, *reasons]) == sorted(attachment.FORMATS)


def test_every_type_of_handle_is_known() -> None:
    assert {sample.type for sample in ALL} == set(HandleType)
