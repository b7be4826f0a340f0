"""The pages about drivers say what the code knows."""

import re
from pathlib import Path

import pytest

from accel.drivers import acts, registry
from accel.drivers.base import Driver
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


_OURS = sorted(name for name, entry in registry.installed().items() if entry.value.startswith("accel."))
_ABILITIES: dict[str, type] = {
    "program": acts.Programmable,
    "cut": acts.Partitionable,
    "virtual functions": acts.Virtualizable,
    "reset": acts.Resettable,
    "scrub": acts.Scrubbable,
    "hand out": acts.Preparable,
    "health": acts.Examined,
}
"""The columns of the table of what drivers can do."""


def _driver(name: str) -> type[Driver]:
    return registry.load([name])[name]


def _is_able(driver: type[Driver], ability: type) -> bool:
    methods = (name for name, value in vars(ability).items() if callable(value) and not name.startswith("_"))
    return all(hasattr(driver, name) for name in methods)


def test_each_driver_of_ours_has_a_page() -> None:
    assert {name for name in _OURS if not (_DOCS / f"{name}.rst").exists()} == set()


@pytest.mark.parametrize("name", _OURS)
def test_a_page_says_what_a_driver_reads_needs_reports_and_can_do(name: str) -> None:
    page = (_DOCS / f"{name}.rst").read_text()
    headings = ["What it reads", "What it needs", "What it reports", "Traps"]
    if any(_is_able(_driver(name), ability) for ability in _ABILITIES.values()):
        headings.insert(3, "What it can do")
    assert [line for line in page.splitlines() if line in headings] == headings


@pytest.mark.parametrize("name", _OURS)
def test_a_page_names_each_option_of_its_driver(name: str) -> None:
    page = (_DOCS / f"{name}.rst").read_text()
    assert [option.dest for option in _driver(name).options if not re.search(rf"\b{option.dest}\b", page)] == []


def test_the_table_says_what_each_driver_can_do() -> None:
    text = (_DOCS / "index.rst").read_text()
    _, head, table, _ = re.split(r"^(?:=+  )+=+\n", text.partition("What they can do")[2], flags=re.MULTILINE)
    columns = re.split(r"  +", head.strip())
    rows = [dict(zip(columns, re.split(r"  +", line.strip()), strict=True)) for line in table.splitlines()]
    said = {row["driver"].split("`")[1]: {word for word in _ABILITIES if row[word] == "yes"} for row in rows}
    able = {name: {word for word, ability in _ABILITIES.items() if _is_able(_driver(name), ability)} for name in _OURS}
    assert said == able
