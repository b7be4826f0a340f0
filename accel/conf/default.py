"""Options that every service has."""

import socket

from oslo_config import cfg

OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<hostname>",
        help="The name of this node. On a compute node it is the name that Nova and OpenStack Placement know the node "
        "by: devices are found under it, and names of resource providers start with it.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/accel",
        help="The directory in which a service keeps what must outlive it: the agent its spool. The service's user "
        "must be able to write there.",
    ),
]
