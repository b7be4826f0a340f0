"""What an agent does for those who are handed devices."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "guest", title="Guests", help="What the agent does when a device is handed to somebody, and when it comes back."
)

OPTIONS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "virtual_functions",
        default=False,
        help="Whether virtual functions are made for guests: then the kernel's own drivers are kept off them while "
        "they are made. Leave it off where containers use them.",
    ),
    cfg.StrOpt(
        "node_group",
        default="",
        help="The group of users that may open /dev/vfio/GROUP of what is bound to vfio-pci, such as kvm. Empty: root "
        "alone.",
    ),
]
