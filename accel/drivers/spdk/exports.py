"""Making what SPDK serves ready for whoever gets it, and taking it back.

Of NVMe-oF, the host that comes by the name that is made of the handle's UUID is let in, and nobody else. Where a block
device is handed out, the subsystem or the vhost disk is made for it and removed with it. What was there before is left
as it was when something goes wrong on the way.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from accel.drivers.spdk.client import METHOD_NOT_FOUND, Refused, SpdkClient
from accel.drivers.spdk.target import Bdev, Subsystem, VhostController, subsystems, vhosts
from accel.errors import ActFailed, ActRefused, DriverFailure, NotVerified
from accel.model.device import AttachHandle, HandleType, host_nqn

_LOOK_AGAIN_SECONDS = 0.05
_MODEL = "accel"
_SERIAL_LENGTH = 20
"""The most that NVMe has room for."""


def prepare(client: SpdkClient, handle: AttachHandle, key: str, source: Bdev | Subsystem | VhostController) -> None:
    """Have the holder of a handle, and nobody else, get at what it stands for.

    :param key: the handle's UUID
    :raises ActRefused: it cannot be, and nothing has been changed
    :raises ActFailed: it went wrong on the way
    """
    bdev = source.name if isinstance(source, Bdev) else None
    with _changing(client):
        if handle.type is HandleType.NVME_OF:
            _let_in(client, handle, host_nqn(key), bdev)
        else:
            _make_disk(client, handle, bdev)


def release(
    client: SpdkClient, handle: AttachHandle, key: str, source: Bdev | Subsystem | VhostController, *, patience: float
) -> None:
    """Undo it, and see that nobody is connected any more.

    :param patience: how long to wait for connections to end, in seconds
    :raises ActRefused: it is in use
    :raises ActFailed: it went wrong on the way
    """
    is_made = isinstance(source, Bdev)
    with _changing(client):
        if handle.type is HandleType.NVME_OF:
            _shut_out(client, handle.info["nqn"], host_nqn(key), is_made=is_made, patience=patience)
        elif is_made:
            _remove_disk(client, handle.info["path"])


@contextmanager
def _changing(client: SpdkClient) -> Iterator[None]:
    """Say of what goes wrong whether something may have been changed by then."""
    calls = client.changes
    try:
        yield
    except DriverFailure as error:
        kind = ActRefused if client.changes == calls else ActFailed
        raise kind(str(error), error.hint) from error


# --- NVMe-oF ---


def _let_in(client: SpdkClient, handle: AttachHandle, host: str, bdev: str | None) -> None:
    nqn = handle.info["nqn"]
    there = _subsystem(client, nqn)
    others = [] if there is None else [name for name in there.hosts if name != host]
    if others or (there and there.allows_any_host):
        who = ", ".join(others) or "any host"
        raise ActRefused(f"{nqn} lets in {who}", "it can be handed out once nobody else may connect: remove the host")
    if there is None and bdev is None:
        raise ActRefused(f"{nqn} is not there any more", "make the subsystem, or let the host be looked at again")
    try:
        for method, parameters in _missing(handle, there, host, bdev):
            client.change(method, **parameters)
    except Refused as error:
        _undo(client, nqn, host, was_there=there is not None)
        raise ActRefused(str(error), _mend(error, handle)) from error
    found = _subsystem(client, nqn)
    if found is None or found.hosts != (host,) or not found.namespaces or not found.listeners:
        raise NotVerified(f"{nqn} is not as it was made", "somebody else changes it: look at nvmf_get_subsystems")


def _missing(
    handle: AttachHandle, there: Subsystem | None, host: str, bdev: str | None
) -> Iterator[tuple[str, dict[str, object]]]:
    """The calls that are left to be made."""
    info = handle.info
    nqn = info["nqn"]
    if there is None:
        serial = hashlib.sha256(nqn.encode()).hexdigest()[:_SERIAL_LENGTH].upper()
        about = {"allow_any_host": False, "serial_number": serial, "model_number": _MODEL}
        yield "nvmf_create_subsystem", {"nqn": nqn, **about}
    if bdev is not None and (there is None or not there.namespaces):
        yield "nvmf_subsystem_add_ns", {"nqn": nqn, "namespace": {"bdev_name": bdev}}
    if bdev is not None and (there is None or not there.listeners):
        where = {"trtype": info["transport"], "adrfam": info["family"], "traddr": info["address"]}
        yield "nvmf_subsystem_add_listener", {"nqn": nqn, "listen_address": {**where, "trsvcid": info["service"]}}
    if there is None or host not in there.hosts:
        yield "nvmf_subsystem_add_host", {"nqn": nqn, "host": host}


def _undo(client: SpdkClient, nqn: str, host: str, *, was_there: bool) -> None:
    """Have it as it was before.

    :raises DriverFailure: it cannot be
    """
    if was_there:
        with suppress(Refused):  # it had not been let in yet
            client.change("nvmf_subsystem_remove_host", nqn=nqn, host=host)
    elif _subsystem(client, nqn) is not None:
        client.change("nvmf_delete_subsystem", nqn=nqn)


def _mend(error: Refused, handle: AttachHandle) -> str:
    if "add_listener" in str(error):
        transport = handle.info["transport"]
        return f"does the application have the transport {transport}, and its host the address? See nvmf_get_transports"
    return "the application's log says why"


def _shut_out(client: SpdkClient, nqn: str, host: str, *, is_made: bool, patience: float) -> None:
    there = _subsystem(client, nqn)
    if there is None or (there.hosts and host not in there.hosts):
        return  # gone already, or by now another's
    if is_made:
        client.change("nvmf_delete_subsystem", nqn=nqn)
        _wait(lambda: _subsystem(client, nqn) is None, patience, f"{nqn} is still there after it was deleted")
        return
    if host in there.hosts:
        client.change("nvmf_subsystem_remove_host", nqn=nqn, host=host)
    _wait(lambda: host not in _who_is_in(client, nqn), patience, f"{host} is still connected to {nqn}")


def _who_is_in(client: SpdkClient, nqn: str) -> set[str]:
    """The hosts that may connect to a subsystem or are connected, as far as the application tells."""
    there = _subsystem(client, nqn)
    if there is None:
        return set()
    try:
        controllers = client.call("nvmf_subsystem_get_controllers", nqn=nqn)
    except Refused as error:
        if error.number != METHOD_NOT_FOUND:
            raise
        controllers = []
    return {*there.hosts, *(str(one.get("hostnqn")) for one in controllers if isinstance(one, dict))}


def _subsystem(client: SpdkClient, nqn: str) -> Subsystem | None:
    return next((one for one in subsystems(client) if one.nqn == nqn), None)


# --- vhost ---


def _make_disk(client: SpdkClient, handle: AttachHandle, bdev: str | None) -> None:
    path = handle.info["path"]
    name = path.rpartition("/")[2]
    there = _controller(client, name)
    if bdev is None:
        if there is None:
            raise ActRefused(f"vhost controller {name} is not there any more", "make it, or let the host be looked at")
        return
    if there is None:
        client.change("vhost_create_blk_controller", ctrlr=name, dev_name=bdev)
        there = _controller(client, name)
        if there is not None and there.socket not in ("", path):
            client.change("vhost_delete_controller", ctrlr=name)
            raise ActRefused(
                f"the application makes its vhost sockets as {there.socket}, not as {path}",
                "mend [spdk] vhost_directory",
            )
    if there is None or there.bdevs != (bdev,):
        raise NotVerified(f"vhost controller {name} does not show {bdev} alone", "look at vhost_get_controllers")


def _remove_disk(client: SpdkClient, path: str) -> None:
    name = path.rpartition("/")[2]
    if _controller(client, name) is None:
        return
    try:
        client.change("vhost_delete_controller", ctrlr=name)
    except Refused as error:
        raise ActRefused(str(error), "a virtual machine may still be connected: let it end") from error
    if _controller(client, name) is not None:
        raise NotVerified(f"vhost controller {name} is still there after it was deleted")


def _controller(client: SpdkClient, name: str) -> VhostController | None:
    return next((one for one in vhosts(client) if one.name == name), None)


def _wait(is_so: Callable[[], bool], patience: float, otherwise: str) -> None:
    """Wait until something is so.

    :raises NotVerified: it was not in time
    """
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() >= deadline:
            raise NotVerified(otherwise, f"it was waited for {patience:g} s")
        time.sleep(_LOOK_AGAIN_SECONDS)
