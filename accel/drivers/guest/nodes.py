"""The nodes of vfio groups: who may open one, and whether a guest has."""

import grp

from accel.drivers.base import Host
from accel.drivers.open_nodes import check_unused
from accel.errors import ActFailed, ActRefused, DeviceInUse
from accel.privileged.base import NodeAccess


def give_group(host: Host, group: int) -> None:
    """Let the group of users that runs guests open the node of an IOMMU group, where there is such a group of users.

    :raises ActRefused: the host does not know the group of users
    :raises ActFailed: the node is not there
    """
    wanted, node = host.guests.node_group, host.dev / "vfio" / str(group)
    if not wanted:
        return
    try:
        host.privileged.give(node, NodeAccess(group=grp.getgrnam(wanted).gr_gid))
    except KeyError as error:
        raise ActRefused(f"there is no group {wanted}", "mend [guest] node_group") from error
    except OSError as error:
        raise ActFailed(f"{node} cannot be given to {wanted}: {error.strerror}") from error


def check_closed(host: Host, group: int) -> None:
    """Make sure that no guest has anything of an IOMMU group; the kernel would wait for it to let go, without end.

    :raises DeviceInUse: one has; the text names its process, where we may see it
    """
    check_unused(host, [f"/dev/vfio/{group}"])
    if host.privileged.is_open(host.dev / "vfio" / str(group)):
        raise DeviceInUse(f"a process has /dev/vfio/{group} open", "stop the guest first")
