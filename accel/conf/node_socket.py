"""The socket at which programs on the node see what it has."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "node_socket",
    title="Node socket",
    help="The Unix socket of the agent at which programs on the same node, such as accel-device-plugin, see what the "
    "node has, with or without a control plane.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "path",
        default="",
        help="Where it is: /run/accel/node.sock. Its directory must be there and writable for the agent. Empty: there "
        "is none.",
    ),
    cfg.ListOpt(
        "users",
        default=[],
        help="Who may call beside root and the agent's own user, by name or number. The kernel says who calls.",
    ),
]
