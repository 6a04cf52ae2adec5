"""The arithmetic of the benchmarks: ratios, verdicts, marks and the form of bench.json. Nothing here is timed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import marks, report
from benchmarks.figures import HIGHER, Figure, Target, percentile
from benchmarks.machine import Meter
from benchmarks.marks import Mark, Marks


def lines(path: Path, *found: Mark) -> None:
    with path.open("a") as file:
        file.writelines(f"{one.run} {one.step} {one.ns}\n" for one in found)


def test_a_ratio_is_taken_within_each_round_and_then_the_median() -> None:
    figure = Figure("T", "a step", "ms")
    figure.add(1.0, {"commit_floor": 0.5})
    figure.add(8.0, {"commit_floor": 2.0})
    figure.add(3.0, {"commit_floor": 1.0})

    assert figure.value == 3.0
    assert figure.against == {"commit_floor": 3.0}  # the median of 2, 4 and 3


def test_the_ratio_of_medians_is_not_the_median_of_ratios() -> None:
    figure = Figure("T", "a step", "ms")
    for ours, floor in ((1.0, 1.0), (10.0, 2.0), (12.0, 10.0)):
        figure.add(ours, {"commit_floor": floor})

    assert figure.against["commit_floor"] == pytest.approx(1.2)  # 10 / 2 = 5 would be the ratio of medians


def test_a_peer_that_was_missing_in_a_round_is_compared_in_the_others() -> None:
    figure = Figure("T", "a step", "ms")
    figure.add(1.0, {"dbos_pg": None})
    figure.add(2.0, {"dbos_pg": 8.0, "celery_chain": 1.0})

    assert figure.against == {"dbos_pg": 0.25, "celery_chain": 2.0}
    assert figure.document()["others"] == {"celery_chain": 1.0, "dbos_pg": 8.0}


def test_a_peer_under_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="dbos"):
        Figure("T", "a step", "ms").add(1.0, {"dbos": 2.0})


def test_lower_is_better_by_default_and_a_target_is_reached_when_it_is_met_exactly() -> None:
    figure = Figure("T", "a step", "ms", targets=(Target(0.5, "dbos_pg"), Target(0.4, "dbos_pg"), Target(2.0)))
    figure.add(2.0, {"dbos_pg": 4.0})

    assert [met for _, _, met in figure.verdicts()] == [True, False, True]


def test_where_higher_is_better_a_target_is_a_floor() -> None:
    figure = Figure("T", "steps", "steps/s", HIGHER, targets=(Target(4.0, "dbos_pg"),))
    figure.add(300.0, {"dbos_pg": 100.0})

    assert [met for _, _, met in figure.verdicts()] == [False]
    assert report.missed([figure]) == ["T"]


def test_a_target_against_an_absent_peer_is_neither_met_nor_missed() -> None:
    figure = Figure("T", "a step", "ms", targets=(Target(0.5, "dbos_pg"),))
    figure.add(2.0)

    assert [met for _, _, met in figure.verdicts()] == [None]
    assert report.missed([figure]) == []


def test_zero_lost_runs_stay_zero_beside_a_peer_that_lost_none() -> None:
    figure = Figure("T", "lost", "runs", targets=(Target(0),))
    figure.add(0, {"dbos_pg": 0})

    assert figure.against == {}  # nothing divides by zero
    assert figure.document()["targets"] == [{"against": None, "must": 0, "met": True}]


def test_a_figure_can_be_read_back_from_json() -> None:
    figure = Figure("T1", "chain step, p50", "ms", targets=(Target(3.0, "commit_floor"),))
    figure.add(0.61234567, {"commit_floor": 0.25})

    document = json.loads(json.dumps(figure.document()))

    assert document["direction"] == "lower"
    assert document["value"] == 0.6123
    assert document["against"] == {"commit_floor": 2.449}
    assert document["targets"] == [{"against": "commit_floor", "must": 3.0, "met": True}]


def test_percentiles_are_values_that_occurred() -> None:
    values = [5.0, 1.0, 3.0, 2.0, 4.0]

    assert [percentile(values, share) for share in (0.01, 0.5, 0.8, 0.99, 1.0)] == [1.0, 3.0, 4.0, 5.0, 5.0]
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_gaps_lie_within_a_run_and_not_between_runs() -> None:
    found = [
        Mark("a", 0, 1_000_000),
        Mark("b", 0, 2_000_000),
        Mark("b", 1, 2_500_000),
        Mark("a", 1, 4_000_000),
        Mark("a", 2, 5_000_000),
    ]

    assert sorted(marks.gaps(found)) == [0.5, 1.0, 3.0]


def test_every_execution_after_the_first_of_a_step_counts_as_repeated() -> None:
    found = [Mark("a", 0, 1), Mark("a", 1, 2), Mark("a", 0, 3), Mark("a", 0, 4), Mark("b", 0, 5)]

    assert marks.repeated(found) == 2


def test_marks_are_taken_once_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    reader = Marks(path)
    lines(path, Mark("a", 0, 10), Mark("a", 1, 20))
    with path.open("a") as file:
        file.write("a 2 3")

    assert reader.take() == [Mark("a", 0, 10), Mark("a", 1, 20)]
    assert reader.take() == []
    with path.open("a") as file:
        file.write("0\n")
    assert reader.take() == [Mark("a", 2, 30)]


def test_waiting_for_marks_says_how_many_came(tmp_path: Path) -> None:
    reader = Marks(tmp_path / "marks")
    lines(reader.path, Mark("a", 0, 10))

    with pytest.raises(TimeoutError, match="1 of 2 steps"):
        reader.wait(2, 0.01)


def test_a_mark_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Marks(tmp_path / "marks")
    monkeypatch.setenv(marks.FILE, str(reader.path))

    marks.mark("run", 7)
    opened = marks._open.pop(os.getpid())
    os.close(opened)

    (found,) = reader.take()
    assert (found.run, found.step) == ("run", 7)


def test_the_meter_counts_our_own_work_as_ours(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    while meter.known and meter.ours < 0.05:
        sum(range(10_000))

    assert meter.known is Path("/proc/stat").exists()
    assert meter.ours >= (0.05 if meter.known else 0)
