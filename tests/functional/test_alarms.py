"""What is heard of a device is shown on the node before anybody looks, and a look that began after it knows better."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.offered import NODE, card, node, report

from accel.agent.bell import Bell
from accel.agent.board import Board
from accel.agent.ownership import Ownership
from accel.agent.probe import Outcome
from accel.agent.service import Eye, Identity
from accel.agent.spool import Spool
from accel.drivers.base import Host
from accel.model.device import Device, Health, Signal
from accel.model.health import Alarm
from accel.rpc.local import LocalConductor

GPU = "accel.io/gpu"


def alarm(device: str, source: str = "nvml.xid") -> Alarm:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Alarm(device=device, signal=Signal(source=source, at=at, value=Health.UNHEALTHY, text="Xid 79"))


def shown(board: Board) -> dict[str, tuple[str, str]]:
    return {device.identity: (device.health, device.reason) for device in board.offer.devices}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    made = Board(Host(name=NODE, root=tmp_path), disregarded=["pcie.link"])
    made.show(report(card(1), card(2)))
    return made


FIT = ("healthy", "")
UNFIT = ("unhealthy", "nvml.xid: Xid 79")


@pytest.mark.parametrize("name", ["GPU-0001", "0000:01:00.0"])
def test_a_device_is_shown_unfit_at_once_by_whatever_name_it_is_known(board: Board, name: str) -> None:
    before = board.offer.revision

    board.alarm(alarm(name))

    assert shown(board) == {"GPU-0001": UNFIT, "GPU-0002": FIT}
    assert board.offer.revision == before + 1


def test_a_source_that_is_disregarded_changes_nothing(board: Board) -> None:
    before = board.offer

    board.alarm(alarm("GPU-0001", source="pcie.link"))

    assert board.offer == before


def test_what_others_say_leaves_the_alarm_as_it_is(board: Board) -> None:
    board.alarm(alarm("GPU-0001"))

    board.withdraw("jobs", {})
    board.hold("kubelet", {})

    assert shown(board)["GPU-0001"] == UNFIT


class Looking:
    """A runner that sees two cards, and has something done while it looks."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None

    def discover(self) -> tuple[Outcome, ...]:
        self.meanwhile()
        return tuple(Outcome(report=one, seconds=0) for one in report(card(1), card(2)).drivers)


def test_a_look_that_was_under_way_says_nothing_of_it_and_the_next_one_does(board: Board, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.open()
    looking, bell = Looking(), Bell()
    nobody: LocalConductor = None  # type: ignore[assignment]  # it is not spoken to
    ownership = Ownership(board, nobody, bell, node=NODE, memory=tmp_path / "memory")
    eye = Eye(Identity(host=Host(name=NODE, root=tmp_path), version="1"), looking, spool, ownership=ownership)
    looking.meanwhile = lambda: ownership.alarm(alarm("GPU-0001"))

    eye.look()
    assert shown(board)["GPU-0001"] == UNFIT

    looking.meanwhile = lambda: None
    eye.look()
    assert shown(board)["GPU-0001"] == FIT


# --- as a kubelet sees it ---


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path, as a socket's is limited."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def test_a_kubelet_hears_of_it_although_nobody_looks(place: Path) -> None:
    cards: list[Device] = [card(1), card(2)]
    with node(place, *cards) as made:
        made.kubelet.wait_for(GPU, allocatable=2)

        made.agent.board.alarm(alarm("GPU-0002"))

        made.kubelet.wait(lambda: made.kubelet.health(GPU) == {"GPU-0001": True, "GPU-0002": False})
        made.agent.board.show(report(*cards), heard=made.agent.board.heard)
        made.kubelet.wait_for(GPU, allocatable=2)
