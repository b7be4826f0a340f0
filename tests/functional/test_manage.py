"""accel-manage and accel-status, as an administrator runs them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from support.clocks import Clock
from support.databases import opened
from support.reports import answer, gpu, report

from accel import conf as configuration
from accel.cmd import manage, status
from accel.conductor.manager import Limits, Manager
from accel.db import migrate
from accel.db.migrate import check_schema
from accel.errors import ConfigurationError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/accel.sqlite"


@pytest.fixture
def config_file(tmp_path: Path, url: str) -> str:
    file = tmp_path / "accel.conf"
    file.write_text(f"[database]\nconnection = {url}\n")
    return str(file)


def test_status_says_what_is_pending_and_upgrade_runs_it(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage.main(["--database", url, "db", "status"]) == 3
    assert "Run accel-manage db upgrade." in capsys.readouterr().out
    assert manage.main(["--database", url, "db", "upgrade"]) == 0
    assert "ran 0001" in capsys.readouterr().out
    assert manage.main(["--database", url, "db", "status"]) == 0
    assert "The schema is up to date." in capsys.readouterr().out


def test_upgrading_again_runs_nothing_and_is_well(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    manage.main(["--database", url, "db", "upgrade"])
    capsys.readouterr()
    assert manage.main(["--database", url, "db", "upgrade"]) == 0
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("line", ["--config-file {0} db upgrade", "db upgrade --config-file {0}"])
def test_the_database_is_that_of_the_configuration(line: str, config_file: str, url: str) -> None:
    assert manage.main(line.format(config_file).split()) == 0
    with opened(url) as database:
        assert migrate.status(database).is_current


@pytest.mark.parametrize("url", ["sqlite:////no/such/directory/accel.sqlite", "nonsense"])
def test_a_database_that_cannot_be_reached_is_said_without_a_traceback(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage.main(["--database", url, "db", "upgrade"]) == 1
    assert capsys.readouterr().err.startswith("accel-manage: ")


def test_a_conductor_refuses_to_start_on_a_schema_that_is_behind(url: str) -> None:
    with opened(url) as database, pytest.raises(ConfigurationError, match="run accel-manage db upgrade"):
        check_schema(database)


def test_a_conductor_refuses_to_start_on_a_schema_of_a_later_release(url: str) -> None:
    with opened(url) as database:
        migrate.upgrade(database)
        with database.writer() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConfigurationError, match="later release"):
            check_schema(database)


def checks(config_file: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, tuple[int, str | None]]]:
    """Run accel-status and read what it says."""
    code = status.main(["--config-file", config_file, "upgrade", "check", "--json"])
    found = json.loads(capsys.readouterr().out)["checks"]
    return code, {check["check"]: (check["result"], check["details"]) for check in found}


def test_an_installation_that_is_ready_passes_all_checks(
    config_file: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(url) as database:
        migrate.upgrade(database)
        Manager(database, Clock(), Limits()).report(report(answer(gpu(1))))
    code, found = checks(config_file, capsys)
    assert code == 0
    assert set(found.values()) == {(0, None)}


def test_a_pending_upgrade_of_the_schema_is_a_failure(config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(config_file, capsys)
    assert code == 2
    pending = ", ".join(revision.name for revision in migrate.revisions())
    assert found["Database schema"] == (2, f"Run accel-manage db upgrade. Pending: {pending}")


def test_a_silent_node_is_a_warning_that_names_it(
    config_file: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(url) as database:
        migrate.upgrade(database)
        Manager(database, Clock(), Limits()).report(report(answer(gpu(1))))
        late = Clock()
        late.now += timedelta(hours=1)
        Manager(database, late, Limits()).mark_offline_nodes()
    code, found = checks(config_file, capsys)
    assert code == 1
    assert "node-1" in (found["Silent nodes"][1] or "")


def test_agents_that_are_too_old_are_a_failure_that_names_their_nodes(url: str) -> None:
    with opened(url) as database:
        migrate.upgrade(database)
        manager = Manager(database, Clock(), Limits())
        for number in range(12):
            manager.report(report(answer(), name=f"old-{number:02}", agent_version="1.1.9"))
        manager.report(report(answer(), name="recent", agent_version="1.2.0"))
    conf = configuration.unread()
    conf([], default_config_files=[])
    conf.set_override("connection", url, group="database")
    result = status.Checks(conf, release="1.3.0").agent_versions()
    assert result.code == 2
    assert result.details.endswith("old-08, old-09 and 2 more")


@pytest.mark.parametrize(
    ("agent", "speaks"),
    [("1.3.0", True), ("1.2.7", True), ("1.4.0", True), ("1.1.0", False), ("2.3.0", False), ("?", False), ("", False)],
)
def test_a_release_speaks_with_its_own_agents_and_those_of_the_release_before(agent: str, *, speaks: bool) -> None:
    assert status.speaks_with(agent, "1.3.1") is speaks


def test_a_database_that_is_away_fails_the_checks_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "accel.conf"
    file.write_text("[database]\nconnection = sqlite:////no/such/directory/a.sqlite\n")
    code, found = checks(str(file), capsys)
    assert code == 2
    assert "unable to open database file" in (found["Database schema"][1] or "")
