"""What was lent to a pod is given back when the pod has gone, and never before."""

import pytest

from accel.kubernetes.departures import Departed, Departures

GRACE = 10.0
LENT = {"h1": ("GPU-1",), "h2": ("GPU-2",)}
NOBODY: tuple[str, ...] = ()


class Looks:
    """Departures, and the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.departures = Departures(GRACE, clock=lambda: self.now)

    def look(
        self, *listed: str, remembered: tuple[str, ...] = NOBODY, after: float = 0.0, asked: float | None = None
    ) -> Departed:
        self.now += after
        return self.departures.look(LENT, listed, remembered, self.now if asked is None else asked)


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_what_is_missing_is_left_at_once_and_due_after_the_grace(looks: Looks) -> None:
    assert looks.look("GPU-1") == Departed(left=frozenset({"h2"}))
    assert looks.look("GPU-1", after=GRACE - 1) == Departed(left=frozenset({"h2"}))
    assert looks.look("GPU-1", after=1) == Departed(left=frozenset({"h2"}), due=frozenset({"h2"}))


def test_what_is_seen_again_meanwhile_begins_anew(looks: Looks) -> None:
    looks.look("GPU-1")
    looks.look("GPU-1", "GPU-2", after=GRACE - 1)

    assert looks.look("GPU-1", after=GRACE) == Departed(left=frozenset({"h2"}))


def test_what_the_kubelet_remembers_is_not_left(looks: Looks) -> None:
    looks.look("GPU-1", remembered=("GPU-1", "GPU-2"))

    assert looks.look("GPU-1", remembered=("GPU-2",), after=GRACE) == Departed(remembered=frozenset({"h2"}))


def test_what_was_given_away_since_is_not_looked_for(looks: Looks) -> None:
    looks.look("GPU-1", "GPU-2")
    looks.departures.give(["h2"])

    assert looks.look("GPU-1") == Departed()
    assert looks.look("GPU-1", after=GRACE - 1) == Departed()
    assert looks.look("GPU-1", after=1) == Departed(left=frozenset({"h2"}))


def test_a_list_that_was_asked_for_before_something_was_given_away_says_nothing_of_it(looks: Looks) -> None:
    looks.look("GPU-1", after=GRACE)
    asked = looks.now
    looks.now += GRACE
    looks.departures.give(["h2"])

    assert looks.look("GPU-1", asked=asked) == Departed()


def test_of_shares_the_last_one_counts(looks: Looks) -> None:
    lent = {"h1": ("GPU-1", "GPU-1-other")}

    assert looks.departures.look(lent, ["GPU-1-other"], NOBODY, looks.now) == Departed()


def test_two_containers_of_a_pod_get_it_one_after_the_other_and_a_later_pod_does_not_count_as_the_same(
    looks: Looks,
) -> None:
    assert not looks.departures.give(["h1"])
    assert looks.departures.give(["h1"])

    looks.now += 1
    assert not looks.departures.give(["h1"])


def test_whoever_gets_it_after_it_was_listed_is_another_pod(looks: Looks) -> None:
    looks.departures.give(["h1"])
    looks.look("GPU-1", "GPU-2")

    assert not looks.departures.give(["h1"])
