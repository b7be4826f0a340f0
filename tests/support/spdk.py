"""An SPDK application as far as its JSON-RPC socket shows it: it has block devices, subsystems and vhost controllers.

It answers as the real one does, in bare JSON texts without anything between them, with its error numbers and words; a
test may have it answer in small pieces, wait before it answers, know fewer methods, or go away.
"""

import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Item = dict[str, Any]
INVALID_PARAMETERS = -32602
DISCOVERY: Item = {
    "nqn": "nqn.2014-08.org.nvmexpress.discovery",
    "subtype": "Discovery",
    "listen_addresses": [],
    "hosts": [],
    "allow_any_host": True,
}


class RpcError(Exception):
    """What an answer says instead of a result."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.answer = {"code": number, "message": message}


def bdev(name: str, *, gib: int = 1, **more: Any) -> Item:
    """A block device that nothing has claimed."""
    return {
        "name": name,
        "aliases": [],
        "product_name": "Malloc disk",
        "block_size": 512,
        "num_blocks": gib << 21,
        "uuid": f"00000000-0000-4000-8000-{zlib.crc32(name.encode()):012d}",
        "claimed": False,
        "driver_specific": {},
        **more,
    }


def subsystem(nqn: str, *bdevs: str, address: str = "192.0.2.10", **more: Any) -> Item:
    """A subsystem of the operator's, to which no host may connect."""
    return {
        "nqn": nqn,
        "subtype": "NVMe",
        "listen_addresses": [{"trtype": "TCP", "adrfam": "IPv4", "traddr": address, "trsvcid": "4420"}],
        "hosts": [],
        "allow_any_host": False,
        "serial_number": "SPDK1",
        "model_number": "SPDK bdev Controller",
        "namespaces": [{"nsid": number, "bdev_name": name, "name": name} for number, name in enumerate(bdevs, 1)],
        **more,
    }


def vhost_blk(name: str, bdev_name: str, directory: str = "/run/vhost") -> Item:
    """A vhost disk of the operator's."""
    block = {"bdev": bdev_name, "readonly": False}
    return {"ctrlr": name, "socket": f"{directory}/{name}", "backend_specific": {"block": block}}


@dataclass
class Application:
    """What it has, and how it behaves. A test may change all of it at any time."""

    bdevs: dict[str, Item] = field(default_factory=dict)
    subsystems: dict[str, Item] = field(default_factory=dict)
    vhosts: dict[str, Item] = field(default_factory=dict)
    transports: set[str] = field(default_factory=lambda: {"TCP"})
    vhost_directory: str = "/run/vhost"
    health: dict[str, Item] = field(default_factory=dict)
    """NVMe controllers with what their health logs say."""
    connected: dict[str, list[str]] = field(default_factory=dict)
    """Hosts that are connected, by subsystem."""
    attached: set[str] = field(default_factory=set)
    """Vhost controllers to which a virtual machine is connected."""
    unknown: set[str] = field(default_factory=set)
    """Methods that it has been built without."""
    is_initialised: bool = True
    piece: int = 0
    """How many bytes it sends at once; 0: all."""
    answers: dict[str, bytes] = field(default_factory=dict)
    """What it sends whatever is right, by method."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    """It keeps silent until this is set, as it is when made."""
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def add(self, *items: Item) -> "Application":
        """Give it block devices, subsystems and vhost controllers, which claim what they show."""
        for item in items:
            if "ctrlr" in item:
                self.vhosts[item["ctrlr"]] = item
            elif "nqn" in item:
                self.subsystems[item["nqn"]] = item
                for namespace in item["namespaces"]:
                    self.bdevs[namespace["bdev_name"]]["claimed"] = True
            else:
                self.bdevs[item["name"]] = item
        return self

    def answer(self, request: Mapping[str, Any]) -> bytes:
        """What it sends for a request."""
        method = request["method"]
        self.calls.append(method)
        if method in self.answers:
            return self.answers[method]
        answer: Item = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            answer["result"] = self._method(method)(**request.get("params", {}))
        except RpcError as error:
            answer["error"] = error.answer
        except TypeError:
            answer["error"] = {"code": INVALID_PARAMETERS, "message": "Invalid parameters"}
        return json.dumps(answer, indent=1).encode()

    def _method(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] | None = getattr(self, f"_do_{name}", None)
        if found is None or name in self.unknown:
            raise RpcError(-32601, "Method not found")
        if not self.is_initialised and name != "spdk_get_version":
            raise RpcError(
                -1, "Method may only be called after framework is initialized using framework_start_init RPC."
            )
        return found

    # --- what it knows of itself ---

    def _do_spdk_get_version(self) -> Item:
        return {"version": "SPDK v24.09", "fields": {"major": 24, "minor": 9, "patch": 0, "suffix": ""}}

    def _do_bdev_get_bdevs(self) -> list[Item]:
        return list(self.bdevs.values())

    def _do_bdev_nvme_get_controllers(self) -> list[Item]:
        return [{"name": name, "ctrlrs": [{"state": "enabled"}]} for name in self.health]

    def _do_bdev_nvme_get_controller_health_info(self, name: str) -> Item:
        if not self.health.get(name):
            raise RpcError(-32603, "Internal error")
        return self.health[name]

    # --- NVMe-oF ---

    def _do_nvmf_get_subsystems(self) -> list[Item]:
        return [DISCOVERY, *self.subsystems.values()]

    def _do_nvmf_create_subsystem(
        self, nqn: str, *, allow_any_host: bool = False, serial_number: str = "", model_number: str = ""
    ) -> bool:
        if nqn in self.subsystems:
            raise RpcError(INVALID_PARAMETERS, f"Unable to create subsystem {nqn}")
        made = {"allow_any_host": allow_any_host, "serial_number": serial_number, "model_number": model_number}
        self.subsystems[nqn] = subsystem(nqn, **made, listen_addresses=[])
        return True

    def _do_nvmf_delete_subsystem(self, nqn: str) -> bool:
        for namespace in self._subsystem(nqn)["namespaces"]:
            self.bdevs[namespace["bdev_name"]]["claimed"] = False
        del self.subsystems[nqn]
        return True

    def _do_nvmf_subsystem_add_ns(self, nqn: str, namespace: Item) -> int:
        name = namespace["bdev_name"]
        if name not in self.bdevs or self.bdevs[name]["claimed"]:
            raise RpcError(INVALID_PARAMETERS, "Invalid parameters")
        there = self._subsystem(nqn)["namespaces"]
        self.bdevs[name]["claimed"] = True
        there.append({"nsid": len(there) + 1, "bdev_name": name, "name": name})
        return len(there)

    def _do_nvmf_subsystem_add_listener(self, nqn: str, listen_address: Item) -> bool:
        if listen_address["trtype"] not in self.transports:
            raise RpcError(INVALID_PARAMETERS, "Invalid parameters")
        self._subsystem(nqn)["listen_addresses"].append(listen_address)
        return True

    def _do_nvmf_subsystem_add_host(self, nqn: str, host: str) -> bool:
        self._subsystem(nqn)["hosts"].append({"nqn": host})
        return True

    def _do_nvmf_subsystem_remove_host(self, nqn: str, host: str) -> bool:
        if {"nqn": host} not in self._subsystem(nqn)["hosts"]:
            raise RpcError(INVALID_PARAMETERS, "Invalid parameters")
        self._subsystem(nqn)["hosts"].remove({"nqn": host})
        return True

    def _do_nvmf_subsystem_get_controllers(self, nqn: str) -> list[Item]:
        self._subsystem(nqn)
        return [{"cntlid": number, "hostnqn": host} for number, host in enumerate(self.connected.get(nqn, []), 1)]

    def _subsystem(self, nqn: str) -> Item:
        if nqn not in self.subsystems:
            raise RpcError(INVALID_PARAMETERS, "Invalid parameters")
        return self.subsystems[nqn]

    # --- vhost ---

    def _do_vhost_get_controllers(self) -> list[Item]:
        return list(self.vhosts.values())

    def _do_vhost_create_blk_controller(self, ctrlr: str, dev_name: str) -> bool:
        if ctrlr in self.vhosts or dev_name not in self.bdevs:
            raise RpcError(INVALID_PARAMETERS, "File exists" if ctrlr in self.vhosts else "No such device")
        self.vhosts[ctrlr] = vhost_blk(ctrlr, dev_name, self.vhost_directory)
        return True

    def _do_vhost_delete_controller(self, ctrlr: str) -> bool:
        if ctrlr not in self.vhosts or ctrlr in self.attached:
            raise RpcError(
                INVALID_PARAMETERS, "No such device" if ctrlr not in self.vhosts else "Device or resource busy"
            )
        del self.vhosts[ctrlr]
        return True


@contextmanager
def running(application: Application, path: Path) -> Iterator[Application]:
    """The application, answering at a socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, application), daemon=True)
        thread.start()
        try:
            yield application
        finally:
            application.may_answer.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


def _serve(listener: socket.socket, application: Application) -> None:
    """One client after the other, as long as the socket is there."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            _converse(connection, application)


def _converse(connection: socket.socket, application: Application) -> None:
    """Requests come one after the other without anything between them, too."""
    received = ""
    while piece := connection.recv(4096):
        received += piece.decode()
        while received:
            try:
                request, end = json.JSONDecoder().raw_decode(received)
            except ValueError:  # it is not whole yet
                break
            received = received[end:].lstrip()
            application.may_answer.wait()
            answer = application.answer(request)
            size = application.piece or len(answer) or 1
            for start in range(0, len(answer), size):
                connection.sendall(answer[start : start + size])
            if not answer:
                return
