"""Records for tests: what would be in the database after a report."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from accel.model.device import Deployable, Device
from accel.model.record import RecordedAttribute, RecordedDeployable, RecordedDevice, RecordedHandle, RecordedNode
from accel.model.report import NodeReport


def recorded(report: NodeReport, *, held: frozenset[str] = frozenset()) -> RecordedNode:
    """The record of a node that a report was the first one of.

    :param held: the names of the deployables whose handles somebody has
    """
    ids = count(1)
    return RecordedNode(
        info=report.node,
        boot_id=report.boot_id,
        drivers={answer.driver: answer.failure for answer in report.drivers},
        devices=tuple(
            _device(device, answer.driver, ids, held) for answer in report.drivers for device in answer.devices
        ),
    )


def _device(device: Device, driver: str, ids: Iterator[int], held: frozenset[str]) -> RecordedDevice:
    return RecordedDevice(
        id=next(ids),
        uuid=f"uuid-of-{device.identity}",
        driver=driver,
        device=_without_parts(device),
        deployables=tuple(_deployable(part, ids, held) for part in device.deployables),
    )


def _deployable(part: Deployable, ids: Iterator[int], held: frozenset[str]) -> RecordedDeployable:
    return RecordedDeployable(
        id=next(ids),
        part=_empty(part),
        attributes=tuple(RecordedAttribute(id=next(ids), attribute=attribute) for attribute in part.attributes),
        handles=tuple(
            RecordedHandle(id=next(ids), handle=handle, is_held=part.name in held) for handle in part.handles
        ),
    )


def _without_parts(device: Device) -> Device:
    return replace(device, deployables=())


def _empty(part: Deployable) -> Deployable:
    return replace(part, attributes=(), handles=())
