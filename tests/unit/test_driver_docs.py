"""The pages about drivers say what the code knows."""

import re
from pathlib import Path

import pytest

from accel.drivers import registry
from accel.drivers.fleet.catalogue import MODELS
from accel.drivers.fleet.schema import KEYS, State
from accel.model.device import DeviceType

_DOCS = Path(__file__).parents[2] / "docs/drivers"
_, *_PARTS = re.split(r"^(.+)\n-{3,}\n", (_DOCS / "fleet.rst").read_text(), flags=re.MULTILINE)
_SECTIONS = dict(zip(_PARTS[::2], _PARTS[1::2], strict=True))
"""The text of the page on fleet files, by heading."""


def _section(title: str) -> str:
    return _SECTIONS["The file" if title == "file" else title]


@pytest.mark.parametrize("section", KEYS)
def test_each_key_of_a_fleet_file_is_described_in_its_section_and_no_other_is(section: str) -> None:
    assert set(re.findall(r"^``(\w+)``$", _section(section), re.MULTILINE)) == set(KEYS[section])


def test_each_model_state_and_type_of_a_fleet_file_is_named() -> None:
    assert {
        name for name in MODELS if not re.search(rf"\b{re.escape(name)}\b", _section("The built-in models"))
    } == set()
    assert {state for state in State if f"``{state}``" not in _section("faults")} == set()
    assert {kind for kind in DeviceType if f"``{kind}``" not in _section("models")} == set()


def test_each_driver_of_ours_has_a_page() -> None:
    ours = {name for name, entry in registry.installed().items() if entry.value.startswith("accel.")}

    assert {name for name in ours if not (_DOCS / f"{name}.rst").exists()} == set()
