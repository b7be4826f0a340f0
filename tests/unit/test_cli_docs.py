"""What the documentation and the help say about the commands."""

import re
from importlib.metadata import EntryPoint, entry_points
from io import StringIO
from pathlib import Path

import pytest

from accel.cli import errors
from accel.cli.app import AccelApp
from accel.cli.base import ListCommand
from accel.cli.columns import chosen
from accel.cli.commands import Entry, summary
from accel.cli.errors import CommandFailed

PAGE = (Path(__file__).parents[2] / "docs" / "cli" / "index.rst").read_text()
COMMANDS = sorted(entry_points(group="accel.cli"), key=lambda entry: entry.name)


def app(out: StringIO | None = None) -> AccelApp:
    return AccelApp(stdout=out or StringIO(), stderr=StringIO())


def words(entry: EntryPoint) -> str:
    return entry.name.replace("_", " ")


def by_name(entry: EntryPoint) -> str:
    return entry.name


def test_every_command_has_a_section_with_an_example_and_every_section_a_command() -> None:
    sections = re.findall(r"^accel ([a-z -]+)\n~+$", PAGE, re.MULTILINE)
    assert sorted(sections) == sorted([*(words(entry) for entry in COMMANDS), "complete", "help"])
    parts = re.split(r"^accel [a-z -]+\n~+$", PAGE, flags=re.MULTILINE)[1:]
    assert all("   $ " in part for part in parts)


@pytest.mark.parametrize("entry", COMMANDS, ids=by_name)
def test_every_option_of_every_command_has_help(entry: EntryPoint) -> None:
    command = entry.load()(app(), None)
    for action in command.get_parser(f"accel {words(entry)}")._actions:
        assert action.help, action


@pytest.mark.parametrize("entry", COMMANDS, ids=by_name)
def test_every_command_says_in_one_line_what_it_does(entry: EntryPoint) -> None:
    assert summary(entry)
    assert len(summary(entry)) <= 59


def test_a_summary_is_what_python_takes_for_the_first_line_of_the_docstring() -> None:
    for entry in COMMANDS:
        if entry.module.startswith("accel.cli."):
            assert summary(entry) == entry.load().__doc__.partition("\n")[0].rstrip(".")


def test_the_narrowing_options_are_documented() -> None:
    for entry in COMMANDS:
        if not entry.name.endswith("_list"):
            continue
        parser = entry.load()(app(), None).get_parser("accel")
        (group,) = (group for group in parser._action_groups if (group.title or "").startswith("which"))
        for action in group._group_actions:
            assert f"``{action.option_strings[0]}" in PAGE, action


def test_every_list_has_the_columns_that_it_shows() -> None:
    for entry in COMMANDS:
        command = entry.load()
        if issubclass(command, ListCommand):
            assert chosen(command.columns, command.shown), entry
            assert chosen(command.columns, command.shown_long), entry


def test_the_exit_codes_are_documented() -> None:
    documented = set(map(int, re.findall(r"^(\d+) {2,}", PAGE, re.MULTILINE)))
    raised = {
        kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CommandFailed)
    }
    assert documented == raised | {0, errors.INTERRUPTED, errors.BROKEN_PIPE}


def test_help_lists_every_command_with_its_line_and_every_global_option() -> None:
    out = StringIO()
    assert app(out).run(["--help"]) == 0
    for entry in COMMANDS:
        assert f"  {words(entry)}  " in out.getvalue()
        assert summary(entry) in out.getvalue()
    assert all(f"  {option}" in out.getvalue() for option in ("--endpoint", "--timeout", "--debug", "--version"))
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())


def test_help_keeps_commands_of_one_noun_together_with_the_noun_alone() -> None:
    out = StringIO()
    app(out).run(["--help"])
    blocks = [[line.split("  ")[1] for line in block.splitlines()] for block in out.getvalue().split("\n\n")[2:-1]]
    assert ["claim", "claim list", "claim release", "claim renew", "claim show", "claim wait"] in blocks
    assert ["candidates"] in blocks


@pytest.mark.parametrize("line", ["device list --help", "device list -h", "--help device list", "help device list"])
def test_the_help_of_a_command_is_found_however_it_is_asked_for(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app().run(line.split()) == 0
    assert capsys.readouterr().out.startswith("usage: accel device list")


def test_completion_knows_every_command_and_its_options() -> None:
    out = StringIO()
    assert app(out).run(["complete"]) == 0
    for entry in COMMANDS:
        assert f"cmds_{entry.name.replace('-', '_')}=" in out.getvalue()
    assert "--numa-node" in out.getvalue()


def test_a_command_whose_module_is_broken_is_not_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "accel_test_broken.py").write_text('raise ValueError("a mistake")\n')
    monkeypatch.syspath_prepend(tmp_path)
    command_line = app()
    command_line.command_manager.commands["broken"] = Entry("broken", "accel_test_broken:Broken", "accel.cli")

    with pytest.raises(RuntimeError, match="accel_test_broken:Broken cannot be imported: a mistake"):
        command_line.run(["broken"])


def test_words_may_be_shortened_as_long_as_one_command_is_meant() -> None:
    _, name, rest = app().command_manager.find_command(["dev", "li", "--free"])
    assert (name, rest) == ("dev li", ["--free"])
