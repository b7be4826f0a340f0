"""The values of a snapshot."""

import pytest

from accel.placement.snapshot import Host


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        ({}, True),
        ({"zone": "a"}, True),
        ({"zone": "b"}, False),
        ({"zone": "a", "rack": "r1"}, True),
        ({"rack": "r2"}, False),
        ({"gone": ""}, False),
    ],
)
def test_a_node_has_its_labels_and_its_rack(wanted: dict[str, str], has: bool) -> None:  # noqa: FBT001 (a table)
    assert Host(name="n", rack="r1", labels={"zone": "a"}).has_labels(wanted) is has


def test_a_label_named_rack_comes_before_the_rack() -> None:
    assert Host(name="n", rack="r1", labels={"rack": "r2"}).has_labels({"rack": "r2"})
