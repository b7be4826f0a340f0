"""``accel simulate``: files in, a table and a picture out, without any server."""

import gzip
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.cli import Outcome, Terminal

from accel.cli.app import AccelApp

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,16000,65536,2,A100\nn2,16000,65536,1,T4\n"
HEADING = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time\n"
TASKS = HEADING + (
    "t1,1000,1024,2,1000,,0,100\n"  # both of n1
    "t2,1000,1024,1,1000,A100,10,60\n"  # waits for them
    "t3,1000,1024,1,500,,20,200\n"
)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "tasks.csv").write_text(TASKS)
    return tmp_path


def simulate(files: Path, line: str, *, stderr: StringIO | None = None) -> Outcome:
    out, err = StringIO(), stderr or StringIO()
    words = [str(files / word) if word.startswith(("nodes.", "tasks.", "out.")) else word for word in line.split()]
    code = AccelApp(stdout=out, stderr=err).run(["--endpoint", "http://127.0.0.1:9", "simulate", *words])
    return Outcome(code, out.getvalue(), err.getvalue())


def test_tasks_come_and_go_at_the_times_of_the_trace_and_wait_where_they_must(files: Path) -> None:
    outcome = simulate(files, "tasks.csv --nodes nodes.csv -f json")
    (row,) = outcome.json
    assert outcome.code == 0
    assert outcome.err == ""
    assert row["policy"] == "least-loss"
    assert (row["tasks"], row["placed"]) == (3, 3)
    assert (row["waited"], row["waited_most"]) == (30, 90)


def test_a_fleet_is_filled_until_so_much_is_asked_for_once_for_each_seed_and_policy(files: Path) -> None:
    outcome = simulate(files, "tasks.csv --nodes nodes.csv --inflate 2 --seeds 1,4-6 --policy all -f json")
    assert [row["policy"] for row in outcome.json] == ["random", "best-fit", "gradient", "least-loss"]
    for row in outcome.json:
        assert row["seeds"] == [1, 4, 5, 6]
        assert list(row["allocated_by_seed"]) == ["1", "4", "5", "6"]
        assert 0 < row["allocated"] <= 1
        assert row["waited"] is None


def test_a_table_says_percents_and_seconds(files: Path) -> None:
    lines = simulate(files, "tasks.csv --nodes nodes.csv").lines
    assert lines[0].split() == ["Policy", "Tasks", "Placed", "Allocated", "Fragmented", "Waited", "Waited", "most"]
    assert lines[1].split()[:5] == ["least-loss", "3", "3", "80.00", "%"]
    assert lines[1].endswith("30 s    90 s")
    filled = simulate(files, "tasks.csv --nodes nodes.csv --inflate 1.2").lines
    assert filled[0].split() == ["Policy", "Seeds", "Tasks", "Placed", "Allocated", "Deviation", "Fragmented"]


def test_columns_are_chosen_and_rows_sorted(files: Path) -> None:
    line = "tasks.csv --nodes nodes.csv --inflate 1.2 --policy all -c policy --sort-column policy -f value"
    assert simulate(files, line).lines == ["best-fit", "gradient", "least-loss", "random"]


def test_files_may_be_compressed(files: Path) -> None:
    (files / "tasks.csv.gz").write_bytes(gzip.compress(TASKS.encode()))
    plain = simulate(files, "tasks.csv --nodes nodes.csv -f json")
    assert simulate(files, "tasks.csv.gz --nodes nodes.csv -f json").json == plain.json


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tasks.csv", b"", "tasks.csv, line 1: no column name, cpu_milli"),
        ("tasks.csv", b"\xff\xfe", "tasks.csv: is not text in UTF-8"),
        ("tasks.csv.gz", b"plain", "tasks.csv.gz: is not what gzip writes, or not all of it"),
        ("tasks.csv.gz", gzip.compress(TASKS.encode())[:-12], "tasks.csv.gz: is not what gzip writes, or not all"),
        ("tasks.csv", (HEADING + "t,1,1,1,2000,,,\n").encode(), "tasks.csv, line 2, gpu_milli: '2000' is not"),
    ],
)
def test_a_file_with_a_mistake_is_named_with_line_and_field(files: Path, name: str, content: bytes, said: str) -> None:
    (files / name).write_bytes(content)
    outcome = simulate(files, f"{name} --nodes nodes.csv")
    assert outcome.code == 2
    assert outcome.err.startswith(f"accel: {files / said}")


def test_a_file_that_is_not_there_and_a_fleet_without_devices_are_refused(files: Path) -> None:
    missing = simulate(files, "tasks.csv --nodes nodes.csv.gz")
    assert (missing.code, missing.err) == (
        2,
        f"accel: {files}/nodes.csv.gz: cannot be read: No such file or directory\n",
    )
    (files / "nodes.csv").write_text("sn,cpu_milli,memory_mib,gpu\nn1,1,1,0\n")
    empty = simulate(files, "tasks.csv --nodes nodes.csv")
    assert empty.code == 2
    assert empty.err.endswith("nodes: 1 is not a fleet with devices\n")


@pytest.mark.parametrize(
    "wrong",
    ["--seeds 5-1", "--seeds x", "--seeds 1,", "--seeds 0-1000", "--inflate 0", "--inflate nan", "--policy worst"],
)
def test_options_that_make_no_sense_are_refused(files: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(files, f"tasks.csv --nodes nodes.csv {wrong}").code == 2
    assert wrong.split(maxsplit=1)[0] in capsys.readouterr().err


def test_progress_is_drawn_on_a_terminal_and_wiped_away(files: Path) -> None:
    terminal = Terminal()
    assert simulate(files, "tasks.csv --nodes nodes.csv", stderr=terminal).code == 0
    assert "least-loss, seed 1  ██████████████████████████████ 100 %" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_the_picture_has_a_line_and_a_name_for_each_policy(files: Path) -> None:
    line = "tasks.csv --nodes nodes.csv --inflate 2 --policy random --policy best-fit --plot out.svg"
    assert simulate(files, line).code == 0
    picture = ET.fromstring((files / "out.svg").read_text())  # noqa: S314 (we wrote it)
    lines = picture.findall(f"{SVG}polyline")
    assert len(lines) == 2
    for drawn in lines:
        points = [tuple(map(float, point.split(","))) for point in (drawn.get("points") or "").split()]
        assert all(64 <= x <= 776 and 48 <= y <= 424 for x, y in points)
        assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert {"random", "best-fit"} <= {text.text for text in picture.findall(f"{SVG}text")}


def test_a_picture_in_time_begins_and_ends_with_the_trace(files: Path) -> None:
    assert simulate(files, "tasks.csv --nodes nodes.csv --plot out.svg").code == 0
    picture = ET.fromstring((files / "out.svg").read_text())  # noqa: S314 (we wrote it)
    assert "hours" in {text.text for text in picture.findall(f"{SVG}text")}


def test_a_picture_can_be_png(files: Path) -> None:
    pytest.importorskip("matplotlib")
    assert simulate(files, "tasks.csv --nodes nodes.csv --inflate 2 --plot out.png").code == 0
    assert (files / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_another_kind_is_refused_before_anything_is_simulated(files: Path) -> None:
    outcome = simulate(files, "tasks.nowhere --nodes nodes.nowhere --plot out.gif")
    assert (outcome.code, outcome.err) == (2, f"accel: --plot {files}/out.gif: name a file that ends in .svg or .png\n")


def test_a_picture_that_cannot_be_written_is_said(files: Path) -> None:
    outcome = simulate(files, "tasks.csv --nodes nodes.csv --plot out.d/x.svg")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"accel: --plot {files}/out.d/x.svg: cannot be written: No such file or directory\n"
