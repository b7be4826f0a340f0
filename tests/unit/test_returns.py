"""What was lent is given back once, and tried again where that fails, but not at once."""

from pathlib import Path
from threading import Event

import pytest
from support.offered import NODE, card, handle_of, report

from accel.agent.board import Board
from accel.agent.loans import Loan, Loans
from accel.agent.returns import Returns, Thing, Wish
from accel.drivers.base import Host
from accel.errors import ActRefused, Conflict, Unavailable
from accel.model.job import JobKind
from accel.model.offer import Holder

DEVICE = card(1)
HANDLE = handle_of(DEVICE)
(PART,) = DEVICE.deployables
THING = Thing(device=DEVICE, part=PART, handle=PART.handles[0], key=HANDLE)
PATIENCE = 20.0


class Hands:
    """Does what is wished, while it may."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refusal = ""
        self.may = Event()
        self.may.set()

    def act(self, wish: Wish) -> None:
        assert self.may.wait(PATIENCE)
        if self.refusal:
            raise ActRefused(self.refusal)
        self.done.append(f"{wish.kind} {wish.method}".strip())


class Lender:
    """An agent's loans, their returns, and the clock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1000.0
        self.hands = Hands()
        self.in_use = ""
        self.begin()

    def begin(self) -> None:
        self.board = Board(Host(name=NODE, root=self.directory))
        self.board.show(report(DEVICE))
        self.loans = Loans(self.directory / "lent", self.board)
        self.loans.open()
        self.returns = Returns(self.board, self.loans, self.hands, self._check, clock=lambda: self.now)

    def lend(self) -> None:
        loan = Loan(handle=HANDLE, names=("GPU-0001",), is_prepared=True, end=JobKind.SCRUB, method="zero")
        self.loans.lend(loan)
        self.loans.used({HANDLE: (Holder(kind="pod", name="ml/train/main"),)})

    def give_back(self, wait_seconds: float = PATIENCE) -> None:
        self.returns.give_back([THING], wait_seconds)

    @property
    def withdrawn(self) -> str:
        return self.board.offer.state(HANDLE).withdrawn

    def _check(self, _: object) -> None:
        if self.in_use:
            raise Conflict(self.in_use)


@pytest.fixture
def lender(tmp_path: Path) -> Lender:
    return Lender(tmp_path)


def test_what_was_made_ready_is_released_before_what_is_left_is_taken_out(lender: Lender) -> None:
    lender.lend()
    lender.give_back()

    assert lender.hands.done == ["release", "scrub zero"]
    assert lender.loans.get(HANDLE) is None
    assert lender.board.offer.state(HANDLE).lent_as == ()


def test_what_is_not_lent_is_left_as_it_is(lender: Lender) -> None:
    lender.give_back()

    assert lender.hands.done == []


def test_an_agent_that_begins_anew_knows_what_is_owed_and_to_whom_it_was_lent(lender: Lender) -> None:
    lender.lend()
    lender.begin()

    lender.returns.left([HANDLE])

    assert lender.withdrawn == "what pod ml/train/main has left is yet to be undone"
    lender.give_back()
    assert lender.hands.done == ["release", "scrub zero"]
    assert lender.withdrawn == ""


def test_who_does_not_want_to_wait_goes_on_and_who_comes_then_waits_for_the_same(lender: Lender) -> None:
    lender.lend()
    lender.hands.may.clear()
    with pytest.raises(Unavailable, match="is being undone, which goes on"):
        lender.give_back(wait_seconds=0)

    lender.hands.may.set()
    lender.give_back()

    assert lender.hands.done == ["release", "scrub zero"]


def test_after_a_failure_nobody_gets_it_and_it_is_tried_again_a_minute_later(lender: Lender) -> None:
    lender.lend()
    lender.hands.refusal = "it does not answer"
    with pytest.raises(ActRefused):
        lender.give_back()
    assert lender.withdrawn == "what pod ml/train/main has left cannot be undone: it does not answer"

    lender.hands.refusal = ""
    lender.now += 59
    with pytest.raises(Unavailable, match="it does not answer"):
        lender.give_back()
    assert lender.hands.done == []

    lender.now += 1
    lender.give_back()
    assert (lender.hands.done, lender.withdrawn) == (["release", "scrub zero"], "")


def test_what_others_have_a_part_of_is_not_scrubbed_under_their_hands(lender: Lender) -> None:
    lender.lend()
    lender.in_use = "another part is in use: pod ml/other/main"

    with pytest.raises(Conflict, match="another part is in use"):
        lender.give_back()

    assert lender.hands.done == ["release"]
    assert lender.loans.get(HANDLE) is not None


def test_what_is_lent_twice_is_owed_once_with_all_that_was_promised(lender: Lender) -> None:
    lender.lend()
    lender.loans.lend(Loan(handle=HANDLE, names=("GPU-0001",)))

    lender.give_back()

    assert lender.hands.done == ["release", "scrub zero"]


def test_a_file_that_cannot_be_read_is_left_out(lender: Lender) -> None:
    lender.lend()
    (lender.directory / "lent/another.json").write_text("{")
    lender.begin()

    assert lender.loans.get(HANDLE) is not None


def test_what_the_disk_does_not_take_is_not_lent(lender: Lender) -> None:
    (lender.directory / "lent").write_text("a file in the way")

    with pytest.raises(Unavailable, match="cannot be kept"):
        lender.lend()

    assert lender.loans.get(HANDLE) is None
