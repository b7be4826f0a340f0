"""Virtual functions of NVMe drives: their controllers get queues and come online, or it is told why not."""

from pathlib import Path

import pytest
from support.nvme_drive import ADDRESS, EmulatedDrive, KernelHands, SecondaryController, drive_in

from accel.drivers.base import Guests, Host
from accel.drivers.nvme import NvmeDriver
from accel.drivers.sysfs import link_name
from accel.errors import ActFailed, ActRefused, NotVerified, VirtualFunctionsImpossible
from accel.model.device import DeployableKind, Device, Health
from accel.testing import HostTree, SimulatedKernel
from accel.testing.driver_contract import options

VIRTUALIZATION = 0x1C
PASSED_THROUGH = Guests(has_virtual_functions=True)


class Bench:
    """A drive that can have four virtual functions, with eight queues and four interrupts to be shared among them."""

    def __init__(self, root: Path) -> None:
        self.tree = HostTree(root)
        self.drive: EmulatedDrive = drive_in(self.tree, 1)
        self.drive.oacs |= 1 << 7
        self.drive.queues, self.drive.interrupts = 8, 4
        self.drive.secondaries = [SecondaryController(10 + function, function) for function in range(1, 5)]
        function = (root / f"sys/bus/pci/devices/{ADDRESS}").resolve()
        (function / "sriov_totalvfs").write_text("4\n")
        SimulatedKernel.of(self.tree)

    def driver(self, guests: Guests | None = None) -> NvmeDriver:
        hands = KernelHands(self.tree.root, self.drive)
        host = Host(name="node-1", root=self.tree.root, hands=hands, guests=guests or Guests())
        return NvmeDriver(host, options(NvmeDriver, look_every_seconds=0.01))

    def device(self) -> Device:
        return next(iter(self.driver().discover()))

    def set_vfs(self, count: int, guests: Guests | None = None) -> list[str]:
        said: list[str] = []
        self.driver(guests).set_vfs(self.device(), count, lambda message, _=None: said.append(message))
        return said

    def offered(self) -> int:
        parts = self.device().deployables
        return sum(part.num_accelerators for part in parts if part.kind is DeployableKind.VF_POOL)

    def signal(self) -> tuple[Health, str] | None:
        found = {signal.source: signal for signal in self.driver().examine(self.device())}
        signal = found.get("nvme.secondaries")
        return signal and (signal.value, signal.text)

    def kernel_drivers(self) -> list[str | None]:
        devices = self.tree.root / "sys/bus/pci/devices"
        return [link_name(devices / f"0000:81:00.{number}" / "driver") for number in (1, 2)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(("count", "queues", "interrupts"), [(1, 8, 4), (2, 4, 2), (4, 2, 1)])
def test_each_controller_gets_an_equal_share_and_comes_online(
    bench: Bench, count: int, queues: int, interrupts: int
) -> None:
    said = bench.set_vfs(count)
    assert bench.offered() == count
    mine, others = bench.drive.secondaries[:count], bench.drive.secondaries[count:]
    assert [(one.is_online, one.queues, one.interrupts) for one in mine] == [(True, queues, interrupts)] * count
    assert not any(one.is_online for one in others)
    assert said[-1] == f"bringing controller {10 + count} online"
    assert bench.signal() == (
        Health.HEALTHY,
        f"{count} of {count} controllers online; 0 queues left; 0 interrupt vectors left",
    )


def test_what_is_there_already_is_left_as_it_is(bench: Bench) -> None:
    bench.set_vfs(2)
    before = len(bench.drive.sent)
    assert bench.set_vfs(2) == []
    assert VIRTUALIZATION not in [command.opcode for command in bench.drive.sent[before:]]


def test_what_was_given_before_is_given_anew(bench: Bench) -> None:
    """The kernel takes all away to change their number, and their controllers go offline with what they have."""
    bench.set_vfs(1)
    bench.drive.secondaries[0].is_online = False
    bench.set_vfs(4)
    assert [one.queues for one in bench.drive.secondaries] == [2, 2, 2, 2]


def test_a_share_is_no_more_than_a_controller_may_have(bench: Bench) -> None:
    bench.drive.most_each = 3
    bench.set_vfs(2)
    assert [(one.queues, one.interrupts) for one in bench.drive.secondaries[:2]] == [(3, 2), (3, 2)]


def test_a_drive_that_shares_out_by_itself_is_only_told_to_bring_them_online(bench: Bench) -> None:
    bench.drive.queues = bench.drive.interrupts = 0
    bench.set_vfs(2)
    assert [one.is_online for one in bench.drive.secondaries] == [True, True, False, False]
    assert bench.signal() == (Health.HEALTHY, "2 of 2 controllers online")


def test_a_drive_that_has_secondary_controllers_need_not_say_so(bench: Bench) -> None:
    """As QEMU's."""
    bench.drive.oacs = 0b1010
    bench.set_vfs(2)
    assert [one.is_online for one in bench.drive.secondaries] == [True, True, False, False]


@pytest.mark.parametrize("unknown", [set[int](), {0x15}])
def test_a_drive_without_secondary_controllers_needs_none(bench: Bench, unknown: set[int]) -> None:
    bench.drive.oacs, bench.drive.secondaries, bench.drive.unknown_lists = 0b1010, [], unknown
    assert bench.set_vfs(2) == ["making 2 virtual functions"]
    assert bench.signal() == (Health.HEALTHY, "2 virtual functions, which the drive looks after itself")


def test_taking_all_away_asks_the_drive_for_nothing(bench: Bench) -> None:
    bench.set_vfs(2)
    before = len(bench.drive.sent)
    bench.set_vfs(0)
    assert (bench.offered(), len(bench.drive.sent), bench.signal()) == (0, before, None)


@pytest.mark.parametrize(("guests", "driver"), [(None, "nvme"), (PASSED_THROUGH, None)])
def test_the_kernel_gets_those_that_are_not_for_guests(bench: Bench, guests: Guests | None, driver: str | None) -> None:
    bench.set_vfs(2, guests)
    assert bench.kernel_drivers() == [driver, driver]


# --- what goes wrong ---


def test_too_little_for_so_many_is_told_before_anything_is_made(bench: Bench) -> None:
    bench.drive.queues = 7
    with pytest.raises(VirtualFunctionsImpossible, match="has 7 queues left, and 4 controllers need 2 each"):
        bench.set_vfs(4)
    assert bench.offered() == 0


def test_more_than_there_are_controllers_for_is_told_before_anything_is_made(bench: Bench) -> None:
    del bench.drive.secondaries[2:]
    with pytest.raises(VirtualFunctionsImpossible, match="controllers for 2 virtual functions, not 3"):
        bench.set_vfs(3)
    assert bench.offered() == 0


def test_a_drive_that_does_not_say_is_left_alone(bench: Bench) -> None:
    bench.drive.statuses[0x06] = 0x06
    with pytest.raises(ActRefused, match="nvme0 refuses command 0x06: an error of its own"):
        bench.set_vfs(2)
    assert bench.offered() == 0


def test_a_drive_that_says_that_it_has_them_and_does_not_list_them_is_left_alone(bench: Bench) -> None:
    bench.drive.unknown_lists = {0x15}
    with pytest.raises(ActRefused, match="it does not know what it was given"):
        bench.set_vfs(2)
    assert bench.offered() == 0


def test_a_controller_that_refuses_leaves_the_state_unknown(bench: Bench) -> None:
    bench.drive.statuses[VIRTUALIZATION] = 0x121
    with pytest.raises(
        ActFailed, match=r"controller 11 does not come online.*there are not so many resources"
    ) as caught:
        bench.set_vfs(2)
    assert not isinstance(caught.value, ActRefused)
    assert bench.signal() == (
        Health.UNHEALTHY,
        "0 of 2 controllers online; 8 queues left; 4 interrupt vectors left",
    )


def test_a_controller_that_stays_offline_is_found_out(bench: Bench) -> None:
    bench.drive.secondaries[1].never_comes = True
    with pytest.raises(NotVerified, match="controllers 12 are still offline"):
        bench.set_vfs(2)
