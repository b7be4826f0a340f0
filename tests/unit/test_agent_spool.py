"""The spool outlives the agent, and the agent outlives the spool."""

from pathlib import Path

import pytest
from support.reports import report

from accel.agent.spool import MAX_PENDING, Spool


def opened(directory: Path) -> Spool:
    spool = Spool(directory)
    spool.open()
    return spool


def waiting(spool: Spool) -> list[int]:
    """The reports that wait, by their sequence, which tests use to tell them apart."""
    found = []
    while (oldest := spool.oldest) is not None:
        found.append(oldest.sequence)
        spool.drop(oldest)
    return found


def drop_oldest(spool: Spool) -> None:
    oldest = spool.oldest
    assert oldest is not None
    spool.drop(oldest)


def test_reports_wait_in_order_over_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number in range(12):
        spool.add(report(sequence=number))
    drop_oldest(spool)

    assert waiting(opened(tmp_path)) == list(range(1, 12))


def test_reports_that_were_sent_do_not_come_back(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.add(report())
    drop_oldest(spool)

    assert opened(tmp_path).oldest is None


def test_a_report_whose_place_another_one_has_taken_meanwhile_takes_none_with_it(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sent = report(sequence=0)
    spool.add(sent)
    for number in range(1, MAX_PENDING + 1):
        spool.add(report(sequence=number))

    spool.drop(sent)

    assert waiting(spool) == list(range(1, MAX_PENDING + 1))


def test_of_too_many_reports_the_newest_are_kept(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number in range(MAX_PENDING + 3):
        spool.add(report(sequence=number))

    assert waiting(opened(tmp_path)) == list(range(3, MAX_PENDING + 3))


def test_the_sequence_grows_over_restarts(tmp_path: Path) -> None:
    last = 0
    for _ in range(3):
        spool = opened(tmp_path)
        for _ in range(1500):
            number = spool.next_sequence()
            assert number > last
            last = number


def test_the_sequence_goes_on_after_what_the_conductor_knows(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.raise_sequence(70_000)
    spool.raise_sequence(5)

    assert spool.next_sequence() == 70_001
    assert opened(tmp_path).next_sequence() > 70_001


def test_claims_outlive_a_restart(tmp_path: Path) -> None:
    claims = {"nvidia": frozenset({"GPU-1", "0000:3b:00.0"}), "pci": frozenset()}
    opened(tmp_path).remember_claims(claims)

    assert opened(tmp_path).claims == claims


@pytest.mark.parametrize("damage", [b"", b"{torn", b"[]", b'{"reserved_sequence": "many"}', b"\xff\xfe"])
def test_a_damaged_state_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    opened(tmp_path).next_sequence()
    (tmp_path / "state.json").write_bytes(damage)

    spool = opened(tmp_path)

    assert spool.next_sequence() == 1
    assert spool.claims == {}


def test_a_damaged_report_is_left_out_and_the_others_are_kept(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for number in range(3):
        spool.add(report(sequence=number))
    sorted(tmp_path.glob("report-*.json"))[1].write_bytes(b'{"node":')

    assert waiting(opened(tmp_path)) == [0, 2]


def test_a_write_that_was_cut_off_leaves_nothing_behind_that_is_read(tmp_path: Path) -> None:
    opened(tmp_path).add(report(sequence=1))
    (tmp_path / "report-000000000002.new").write_bytes(b'{"node":')

    assert waiting(opened(tmp_path)) == [1]


def test_where_nothing_can_be_written_the_agent_works_from_memory(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the directory should be")
    spool = opened(tmp_path / "occupied")

    spool.remember_claims({"pci": frozenset({"x"})})
    spool.add(report(sequence=1))
    spool.add(report(sequence=2))

    assert [spool.next_sequence(), spool.next_sequence()] == [1, 2]
    assert spool.claims == {"pci": frozenset({"x"})}
    assert waiting(spool) == [1, 2]


def test_the_spool_is_written_again_when_that_becomes_possible(tmp_path: Path) -> None:
    obstacle = tmp_path / "spool"
    obstacle.write_text("")
    spool = opened(obstacle)
    spool.add(report(sequence=1))
    obstacle.unlink()
    obstacle.mkdir()

    spool.add(report(sequence=2))

    assert waiting(opened(obstacle)) == [2]
