"""The controllers of a drive's virtual functions: secondary controllers, which get queues and come online one by one.

A virtual function whose controller is offline is of no use to anybody. Some drives share fixed resources out by
themselves; of others the primary controller has flexible ones (queues, interrupt vectors), and each secondary gets an
equal share of what is left before it is brought online.

Facts are from the NVM Express base specification: "Virtualization Enhancements", Primary Controller Capabilities,
Secondary Controller List, Virtualization Management command.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from accel.drivers.acts import Progress
from accel.drivers.nvme import commands
from accel.drivers.nvme.commands import Capabilities, Resource, Secondary
from accel.drivers.nvme.controller import AdminController
from accel.drivers.nvme.known import KnownDrive
from accel.errors import ActFailed, ActRefused, NotVerified, VirtualFunctionsImpossible
from accel.model.device import Health

_LEAST = {Resource.QUEUES: 2, Resource.INTERRUPTS: 1}
"""A controller needs a pair of queues for commands to itself and one for data, and an interrupt."""
_WORDS = {Resource.QUEUES: "queues", Resource.INTERRUPTS: "interrupt vectors"}
_LOOKS = 20
"""How often it is looked whether all controllers are online before that is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done once the virtual functions are there."""

    controller: AdminController
    can: Capabilities
    count: int
    shares: dict[Resource, int]
    """What each secondary gets of the flexible resources; nothing of those that are shared out by the drive."""


def planned(controller: AdminController, count: int) -> Plan | None:
    """What each of so many secondaries will get; None where there is nothing to do.

    What those have that are offline can be given anew; changing the number takes all offline.

    :raises VirtualFunctionsImpossible: there is not enough for so many
    :raises ActRefused: the controller does not say
    """
    if not count:
        return None
    try:
        can = controller.capabilities()
        there = controller.secondaries(can)
        if not there:
            return None
        mine = [one for one in there if 0 < one.function <= count]
        offered = controller.flexible_resources()
    except OSError as error:
        raise ActRefused(f"the drive cannot be asked about its secondary controllers: {error}") from error
    if len(mine) < count:
        raise VirtualFunctionsImpossible(f"the drive has controllers for {len(mine)} virtual functions, not {count}")
    if all(one.is_online for one in mine):
        return None
    shares: dict[Resource, int] = {}
    for resource, flexible in offered.items():
        free = flexible.free + sum(one.has[resource] for one in mine)
        share = min(free // count, flexible.most_each)
        share -= share % max(flexible.step, 1)
        if share < _LEAST[resource]:
            raise VirtualFunctionsImpossible(
                f"the drive has {free} {_WORDS[resource]} left, and {count} controllers need {_LEAST[resource]} each",
                "have fewer, or take some from the primary controller: nvme virt-mgmt --act=1, then a reset",
            )
        shares[resource] = share
    return Plan(controller=controller, can=can, count=count, shares=shares)


def bring_online(plan: Plan, progress: Progress, *, look_every_seconds: float) -> None:
    """Give each secondary its share and bring it online.

    :raises ActFailed: it went wrong on the way; the virtual functions are there, and some cannot be used
    """
    mine = [one for one in plan.controller.secondaries(plan.can) if 0 < one.function <= plan.count]
    for done, secondary in enumerate(mine):
        progress(f"bringing controller {secondary.number} online", done / len(mine))
        try:
            _bring_one(plan, secondary)
        except (ActRefused, OSError) as error:
            raise ActFailed(f"controller {secondary.number} does not come online: {error}", "set them again") from error
    _wait(plan, look_every_seconds)


def _bring_one(plan: Plan, secondary: Secondary) -> None:
    if secondary.is_online:
        return
    for resource, share in plan.shares.items():
        if secondary.has[resource] != share:
            plan.controller.manage(commands.assign(secondary.number, resource, share))
    plan.controller.manage(commands.online(secondary.number))


def _wait(plan: Plan, look_every_seconds: float) -> None:
    """Wait until all are online.

    :raises NotVerified: some do not come online
    """
    offline: Sequence[int] = ()
    for _ in range(_LOOKS):
        there = plan.controller.secondaries(plan.can)
        offline = [one.number for one in there if 0 < one.function <= plan.count and not one.is_online]
        if not offline:
            return
        time.sleep(look_every_seconds)
    raise NotVerified(f"controllers {', '.join(map(str, offline))} are still offline", "set the number again")


def condition(controller: AdminController, known: KnownDrive) -> tuple[Health, str]:
    """Whether the virtual functions that are there can be used, and what is left for more.

    :raises ActRefused: the controller does not say
    :raises OSError: it cannot be asked
    """
    count = len(known.virtual_functions)
    there = controller.secondaries(controller.capabilities())
    if not there:
        return Health.HEALTHY, f"{count} virtual functions, which the drive looks after itself"
    mine = [one for one in there if 0 < one.function <= count]
    online = [one for one in mine if one.is_online]
    left = [f"{one.free} {_WORDS[resource]} left" for resource, one in controller.flexible_resources().items()]
    text = "; ".join([f"{len(online)} of {count} controllers online", *left])
    return (Health.HEALTHY if len(online) == count else Health.UNHEALTHY), text
