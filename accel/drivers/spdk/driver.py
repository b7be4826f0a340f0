"""The ``spdk`` driver: applications of the Storage Performance Development Kit that serve NVMe-oF and vhost.

Each application is a device, known by the socket at which it takes orders. Nobody tells an application's parts but
itself, so there is nothing to be seen of one that does not answer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.base import Host
from accel.drivers.nvme import smart
from accel.drivers.spdk import exports
from accel.drivers.spdk.client import Refused, SpdkClient
from accel.drivers.spdk.parts import Export, Part, Wishes, parts
from accel.drivers.spdk.target import (
    Bdev,
    Listener,
    Subsystem,
    Target,
    VhostController,
    nvme_controllers,
    read_target,
    version,
)
from accel.drivers.temperature import Sensor, temperature
from accel.errors import DeviceGone, DriverFailure, DriverUnavailable
from accel.model.device import (
    FUNCTIONS,
    AttachHandle,
    Deployable,
    Device,
    DeviceType,
    Health,
    Presence,
)
from accel.model.health import Signal

_IDENTITY_PREFIX = "spdk:"
_VENDOR, _PRODUCT = "spdk", "target"
_NO_SOURCE = re.compile(r"[^a-z0-9_]+")
"""What the source of a signal does not have in its name."""
_LISTENER = re.compile(r"(?P<transport>\w+):(\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+)):(?P<service>\d{1,5})")


class SpdkDriver:
    """Reports the SPDK applications of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = (
        cfg.ListOpt(
            "sockets",
            default=["/var/tmp/spdk.sock"],  # noqa: S108 - where SPDK itself has it
            help="Absolute paths of the sockets at which SPDK applications take orders (JSON-RPC), their option -r.",
        ),
        cfg.FloatOpt(
            "timeout_seconds",
            default=5,
            min=0.1,
            max=600,
            help="How long an application may take to answer one call, in seconds.",
        ),
        cfg.StrOpt(
            "export",
            default=Export.NONE,
            choices=[
                (Export.NONE, "they are seen, and not handed out"),
                (Export.NVMF, "as an NVMe-oF subsystem that is made for whoever gets it, at the address of listen"),
                (Export.VHOST, "as a vhost disk that is made for whoever gets it, in vhost_directory"),
            ],
            help="How block devices are handed out that no subsystem and no vhost controller shows yet.",
        ),
        cfg.ListOpt(
            "bdevs",
            default=["*"],
            help="Which of these block devices may be handed out, by name, with * and ? as in a shell.",
        ),
        cfg.StrOpt(
            "listen",
            default="",
            help="Where subsystems listen that are made for a block device: TCP:192.0.2.10:4420 or "
            "RDMA:[2001:db8::1]:4420. The application must have the transport (nvmf_create_transport).",
        ),
        cfg.StrOpt(
            "vhost_directory",
            default="/var/tmp",  # noqa: S108 - see above
            help="The directory in which applications make their vhost sockets, their option -S.",
        ),
    )

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._options = options

    def discover(self) -> tuple[Device, ...]:
        """The applications, in the order of their sockets. One that is away is lost as long as another one answers."""
        wishes = self._wishes()
        found: dict[str, Target] = {}
        away: dict[str, DriverUnavailable] = {}
        for path in sorted(set(self._options.sockets)):
            try:
                with self._client(path) as client:
                    found[path] = read_target(client)
            except DriverUnavailable as error:
                away[path] = error
        if away and not found:
            raise next(iter(away.values()))
        devices = [self._device(path, target, wishes) for path, target in found.items()]
        devices += [_lost(path, str(error)) for path, error in away.items()]
        return tuple(sorted(devices, key=lambda device: device.identity))

    def prepare(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Let the holder of the handle in, and nobody else; make what the block device is handed out as.

        :raises ActRefused: it cannot be, and nothing has been changed
        :raises ActFailed: it went wrong on the way
        """
        with self._client(_path(device)) as client:
            exports.prepare(client, handle, key, self._source(client, device, deployable))

    def release(self, device: Device, deployable: Deployable, handle: AttachHandle, key: str) -> None:
        """Let nobody in any more; remove what was made.

        :raises ActRefused: it is in use
        :raises ActFailed: it went wrong on the way
        """
        with self._client(_path(device)) as client:
            source = self._source(client, device, deployable)
            exports.release(client, handle, key, source, patience=self._options.timeout_seconds)

    def examine(self, device: Device) -> Iterator[Signal]:
        """Whether the application answers, and what the drives that it drives say of themselves."""
        path, now = _path(device), datetime.now(UTC)
        try:
            with self._client(path) as client:
                yield Signal(source="spdk", at=now, value=Health.HEALTHY, text=version(client))
                yield from _drive_signals(client, now)
        except DriverFailure as error:
            yield Signal(source="spdk", at=now, value=Health.UNKNOWN, text=str(error))

    def _source(self, client: SpdkClient, device: Device, deployable: Deployable) -> Bdev | Subsystem | VhostController:
        """What a deployable is of.

        :raises DeviceGone: there is no such thing any more, or it cannot be handed out alone
        """
        for part in self._parts(_path(device), read_target(client), self._wishes()):
            if part.deployable.name == deployable.name and part.source is not None:
                return part.source
        raise DeviceGone(f"the SPDK application does not hand out {deployable.name}", "see bdev_get_bdevs")

    def _client(self, path: str) -> SpdkClient:
        socket = self._host.root / PurePosixPath(path).relative_to("/")
        return SpdkClient(socket, timeout_seconds=self._options.timeout_seconds)

    def _wishes(self) -> Wishes:
        """What the options say.

        :raises DriverFailure: they are not right
        """
        for path in (*self._options.sockets, self._options.vhost_directory):
            if not PurePosixPath(path).is_absolute():
                raise DriverFailure(f"[spdk] {path!r} is no absolute path", "give the whole path, from / on")
        export = Export(self._options.export)
        listener = _listener(self._options.listen)
        if export is Export.NVMF and listener is None:
            raise DriverFailure(
                "[spdk] export is nvmf, and listen does not say where", "set listen, such as TCP:192.0.2.10:4420"
            )
        return Wishes(
            export=export,
            patterns=tuple(self._options.bdevs),
            listener=listener,
            vhost_directory=PurePosixPath(self._options.vhost_directory),
        )

    def _parts(self, path: str, target: Target, wishes: Wishes) -> tuple[Part, ...]:
        return parts(target, node=self._host.name, root=f"{self._host.name}_{path}", wishes=wishes)

    def _device(self, path: str, target: Target, wishes: Wishes) -> Device:
        functions = sorted({function for bdev in target.bdevs for function in bdev.functions})
        facts = {"version": target.version, FUNCTIONS: ", ".join(map(str, functions))}
        return Device(
            identity=f"{_IDENTITY_PREFIX}{path}",
            type=DeviceType.SSD,
            vendor=_VENDOR,
            product=_PRODUCT,
            model="SPDK target",
            std_board_info={name: fact for name, fact in facts.items() if fact},
            deployables=tuple(part.deployable for part in self._parts(path, target, wishes)),
        )


def _listener(text: str) -> Listener | None:
    """What an option says of where to listen; None when it says nothing.

    :raises DriverFailure: it makes no sense
    """
    if not text:
        return None
    match = _LISTENER.fullmatch(text)
    if match is None:
        raise DriverFailure(f"[spdk] listen is {text!r}", "give TRANSPORT:ADDRESS:PORT, such as TCP:192.0.2.10:4420")
    return Listener(
        transport=match["transport"].upper(),
        family="IPv6" if match["six"] else "IPv4",
        address=match["six"] or match["four"],
        service=match["service"],
    )


def _path(device: Device) -> str:
    return device.identity.removeprefix(_IDENTITY_PREFIX)


def _drive_signals(client: SpdkClient, now: datetime) -> Iterator[Signal]:
    """What each NVMe drive says of itself; nothing of an application that drives none."""
    warm: list[Sensor] = []
    for name in nvme_controllers(client):
        source = f"spdk.smart.{_NO_SOURCE.sub('_', name.lower())}"
        try:
            log = smart.from_spdk(client.call("bdev_nvme_get_controller_health_info", name=name))
        except Refused as error:
            yield Signal(source=source, at=now, value=Health.UNKNOWN, text=str(error))
        else:
            yield smart.signal(log, source, now)
            warm += [replace(sensor, name=name) for sensor in smart.sensors(log)]
    yield from temperature((), now, warm)


def _lost(path: str, reason: str) -> Device:
    return Device(
        identity=f"{_IDENTITY_PREFIX}{path}",
        type=DeviceType.SSD,
        vendor=_VENDOR,
        product=_PRODUCT,
        model="SPDK target",
        presence=Presence.LOST,
        health=Health.UNKNOWN,
        reason=reason,
    )
