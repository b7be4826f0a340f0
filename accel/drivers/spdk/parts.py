"""What of an SPDK application is handed out, and how.

Three kinds of things: subsystems and vhost controllers that the operator has made, as they are; and block devices that
nothing shows yet, for which one of the two is made when they are handed out. A block device that something has for
itself is seen and not offered, so that nothing is handed out twice.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from accel.drivers.spdk.target import Bdev, Listener, Subsystem, Target, VhostController
from accel.model.attribute import custom_trait, resource_class, traits
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    HandleType,
    is_host_nqn,
    subsystem_nqn,
)

RESOURCE_CLASS = "CUSTOM_SSD"
_VHOST_PREFIX = "accel."
"""What the names of vhost controllers begin with that are made to hand something out."""
_MAX_NAME_LENGTH = 255
_DIGEST_LENGTH = 12


class Export(StrEnum):
    """How block devices are handed out that nothing shows yet."""

    NONE = "none"
    """Not at all."""
    NVMF = "nvmf"
    VHOST = "vhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator wants of an application."""

    export: Export
    patterns: Sequence[str]
    """Which block devices may be handed out, by name as in a shell."""
    listener: Listener | None
    """Where subsystems that we make listen."""
    vhost_directory: PurePosixPath
    """Where the application has its vhost sockets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A deployable and what it is of."""

    deployable: Deployable
    source: Bdev | Subsystem | VhostController | None = None
    """None: the application, or a namespace that is handed out with its subsystem."""


def parts(target: Target, *, node: str, root: str, wishes: Wishes) -> tuple[Part, ...]:
    """The application, its block devices, its subsystems with their namespaces, its vhost controllers.

    :param root: the name of the application's own deployable
    """
    return tuple(_Parts(target, node=node, root=root, wishes=wishes).all())


class _Parts:
    def __init__(self, target: Target, *, node: str, root: str, wishes: Wishes) -> None:
        self._target = target
        self._node = node
        self._root = root
        self._wishes = wishes
        self._bdevs = {bdev.name: bdev for bdev in target.bdevs}
        exports = {bdev.name: _export(bdev, node, wishes) for bdev in target.bdevs}
        self._exports: Mapping[str, AttachHandle] = {name: handle for name, handle in exports.items() if handle}
        made = {handle.info.get("nqn") or handle.info["path"] for handle in self._exports.values()}
        self._subsystems = [one for one in target.subsystems if one.nqn not in made]
        self._vhosts = [one for one in target.vhosts if _socket(one, wishes) not in made]

    def all(self) -> Iterator[Part]:
        """The tree, from the root down."""
        yield Part(deployable=self._part(DeployableKind.CARD, self._root, parent=None, attributes=_attributes()))
        shown = self._shown()
        for bdev in self._target.bdevs:
            yield Part(deployable=self._bdev(bdev, shown.get(bdev.name, "")), source=bdev)
        for subsystem in self._subsystems:
            yield from self._subsystem(subsystem)
        for controller in self._vhosts:
            yield Part(deployable=self._vhost(controller), source=controller)

    def _shown(self) -> Mapping[str, str]:
        """Block devices and what of the operator's shows them."""
        by_subsystem = {bdev: one.nqn for one in self._subsystems for _, bdev in one.namespaces}
        return by_subsystem | {bdev: one.name for one in self._vhosts for bdev in one.bdevs}

    def _bdev(self, bdev: Bdev, shown_as: str) -> Deployable:
        handle = self._exports.get(bdev.name)
        is_made = handle is not None and self._is_made(handle)
        is_free = not shown_as and (is_made or not bdev.is_claimed)
        facts = {
            "capacity_bytes": _text(bdev.capacity_bytes),
            "block_bytes": _text(bdev.block_bytes),
            "product": bdev.product,
            "bdev_uuid": bdev.uuid,
            "shown_as": shown_as,
            "claimed": "true" if bdev.is_claimed and not shown_as and not is_made else "",
        }
        return self._part(
            DeployableKind.BDEV,
            f"{self._root}_{bdev.name}",
            parent=self._root,
            attributes=(*_attributes(), *_facts(facts)),
            handles=(handle,) if handle and is_free else (),
        )

    def _is_made(self, handle: AttachHandle) -> bool:
        """Whether that by which it is handed out is there."""
        nqns = {one.nqn for one in self._target.subsystems}
        sockets = {_socket(one, self._wishes) for one in self._target.vhosts}
        return handle.info.get("nqn") in nqns or handle.info.get("path") in sockets

    def _subsystem(self, subsystem: Subsystem) -> Iterator[Part]:
        name = f"{self._root}_{subsystem.nqn}"
        is_exclusive = not subsystem.allows_any_host and all(map(is_host_nqn, subsystem.hosts))
        facts = {
            "capacity_bytes": _sum([self._capacity(bdev) for _, bdev in subsystem.namespaces]),
            "allows_any_host": "true" if subsystem.allows_any_host else "",
            "other_hosts": ", ".join(host for host in subsystem.hosts if not is_host_nqn(host)),
        }
        is_offered = is_exclusive and subsystem.listeners and subsystem.namespaces
        part = self._part(
            DeployableKind.SUBSYSTEM,
            name,
            parent=self._root,
            attributes=(*_attributes("NVMF"), *_facts(facts)),
            handles=(_nvme_of(subsystem.nqn, subsystem.listeners[0]),) if is_offered else (),
        )
        yield Part(deployable=part, source=subsystem)
        for number, bdev in subsystem.namespaces:
            yield Part(
                deployable=self._part(
                    DeployableKind.NAMESPACE,
                    f"{name}_ns{number}",
                    parent=part.name,
                    attributes=_facts({"bdev": bdev, "capacity_bytes": _text(self._capacity(bdev))}),
                )
            )

    def _vhost(self, controller: VhostController) -> Deployable:
        facts = {
            "capacity_bytes": _sum([self._capacity(bdev) for bdev in controller.bdevs]),
            "bdevs": ", ".join(controller.bdevs),
        }
        handle = AttachHandle(
            type=HandleType.VHOST_USER,
            info={"path": _socket(controller, self._wishes), "device": controller.kind},
        )
        return self._part(
            DeployableKind.VHOST,
            f"{self._root}_{controller.name}",
            parent=self._root,
            attributes=(*_attributes("VHOST"), *_facts(facts)),
            handles=(handle,) if controller.kind and controller.bdevs else (),
        )

    def _capacity(self, bdev: str) -> int | None:
        return self._bdevs[bdev].capacity_bytes if bdev in self._bdevs else None

    def _part(
        self,
        kind: DeployableKind,
        name: str,
        *,
        parent: str | None,
        attributes: tuple[Attribute, ...],
        handles: tuple[AttachHandle, ...] = (),
    ) -> Deployable:
        return Deployable(
            name=_short(name),
            kind=kind,
            parent=parent,
            num_accelerators=len(handles),
            attributes=attributes,
            handles=handles,
        )


def _export(bdev: Bdev, node: str, wishes: Wishes) -> AttachHandle | None:
    """How a block device is handed out that nothing shows; the same before, while and after it is."""
    if not any(fnmatchcase(bdev.name, pattern) for pattern in wishes.patterns):
        return None
    if wishes.export is Export.NVMF and wishes.listener:
        return _nvme_of(subsystem_nqn(node, bdev.name), wishes.listener)
    if wishes.export is Export.VHOST:
        name = _VHOST_PREFIX + bdev.name.replace("/", "_")
        info = {"path": str(wishes.vhost_directory / name), "device": "blk"}
        return AttachHandle(type=HandleType.VHOST_USER, info=info)
    return None


def _nvme_of(nqn: str, listener: Listener) -> AttachHandle:
    info = {
        "nqn": nqn,
        "transport": listener.transport,
        "family": listener.family,
        "address": listener.address,
        "service": listener.service,
    }
    return AttachHandle(type=HandleType.NVME_OF, info={key: value for key, value in info.items() if value})


def _socket(controller: VhostController, wishes: Wishes) -> str:
    return controller.socket or str(wishes.vhost_directory / controller.name)


def _attributes(*kinds: str) -> tuple[Attribute, ...]:
    return (
        resource_class(RESOURCE_CLASS),
        *traits([custom_trait("SSD", "SPDK"), *(custom_trait("SPDK", kind) for kind in kinds)]),
    )


def _facts(facts: Mapping[str, str]) -> tuple[Attribute, ...]:
    return tuple(Attribute(key=key, value=value[:_MAX_NAME_LENGTH]) for key, value in facts.items() if value)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _sum(sizes: Sequence[int | None]) -> str:
    """The bytes of all; nothing where one is not known, or there is none."""
    known = [size for size in sizes if size is not None]
    return str(sum(known)) if known and len(known) == len(sizes) else ""


def _short(name: str) -> str:
    """A name that fits, told apart by a digest where it had to be cut: qualified names may have 223 characters."""
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: _MAX_NAME_LENGTH - _DIGEST_LENGTH - 1]}~{digest}"
