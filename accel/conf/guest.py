"""What an agent does for those who are handed devices."""

from oslo_config import cfg, types

from accel.model.device import DeviceType

GROUP = cfg.OptGroup(
    "guest", title="Guests", help="What the agent does when a device is handed to somebody, and when it comes back."
)

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "vfio_types",
        default=[],
        item_type=types.String(choices=[kind.value for kind in DeviceType]),
        help="The types of devices whose PCI functions are bound to vfio-pci while somebody has them, with all of "
        "their IOMMU group, and given back to their own driver afterwards: GPU, NVME. Leave out what containers use "
        "with the kernel's driver, and what Nova passes through: libvirt binds it itself.",
    ),
    cfg.StrOpt(
        "node_group",
        default="",
        help="The group of users that may open /dev/vfio/GROUP of what is bound to vfio-pci, such as kvm. Empty: root "
        "alone.",
    ),
]
