"""Plan files: what is written is read back, edits count, and wrong lines are named."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil import FramePlan, Plan, Policy, Regions, plans
from faceveil.errors import RequestError

LANDMARKS = np.arange(10, dtype=np.float32).reshape(1, 5, 2)


def _plan(source: str = "a.jpg") -> Plan:
    regions = Regions(np.array([[1.25, 2, 30, 40]]), np.array([0.5]), LANDMARKS)
    frames = (FramePlan(regions, ("solid",), (64, 48), 0, Fraction(1, 3)), FramePlan(Regions(), (), (64, 48), 1))
    return Plan(source, frames, "ab" * 32, "centerface")


def _write(path: Path, *lines: object, policy: Policy | None = None) -> Path:
    body = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(plans.text(policy or Policy(), "centerface", body))
    return path


def test_a_plan_reads_back_as_it_was_written(tmp_path: Path) -> None:
    file = _write(tmp_path / "p.jsonl", *plans.lines(_plan(), landmarks=True), policy=Policy.of(area="head"))
    (read,) = plans.read(file)
    assert read.source == str(tmp_path / "a.jpg")
    assert (read.digest, read.detector) == ("ab" * 32, "centerface")
    assert Policy.of(**read.policy) == Policy.of(area="head")
    first, second = read.frames
    assert np.array_equal(first.regions.xyxy, [[1.25, 2, 30, 40]])
    assert (first.methods, first.size, first.time) == (("solid",), (64, 48), Fraction(1, 3))
    assert np.array_equal(first.regions.landmarks, LANDMARKS)  # type: ignore[arg-type]
    assert (second.index, len(second.regions)) == (1, 0)


def test_landmarks_stay_out_unless_a_method_needs_them() -> None:
    assert "landmarks" not in "".join(plans.lines(_plan(), landmarks=False))


def test_edits_count(tmp_path: Path) -> None:
    line = {
        "source": "a.jpg",
        "size": [64, 48],
        "faces": [{"box": [1, 2, 3, 4]}, {"box": [5, 6, 7, 8], "method": "keep"}],
    }
    file = _write(tmp_path / "p.jsonl", line, policy=Policy.of(method="mosaic:cells=3"))
    (read,) = plans.read(file)
    assert read.frames[0].methods == ("mosaic:cells=3", "keep")
    assert read.frames[0].regions.score.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: "),
        ({"source": "a", "size": [4, 4], "face": []}, "line 2: there is no setting 'face'"),
        (
            {"source": "a", "size": [4, 4], "faces": [{"box": [1, 2, 3]}]},
            "line 2: 'faces.0.box.3'|line 2: 'faces.0.box'",
        ),
        ({"source": "a", "size": [4, 4], "faces": [{"box": [9, 2, 3, 4]}]}, "line 2: xyxy must have x1 <= x2"),
        ({"source": "a", "size": [4, 4], "faces": [{"box": [1, 2, 3, 4], "method": "blurr"}]}, "line 2: no method is"),
        ({"source": "a", "size": [4, 4], "time": "1/0"}, "line 2: "),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: object, complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint) as caught:
        plans.read(_write(tmp_path / "p.jsonl", line))
    assert "\n" not in str(caught.value)


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(RequestError, match="is not a plan — make one with"):
        plans.read(tmp_path / "x")
    with pytest.raises(RequestError, match="cannot read the plan .*: No such file"):
        plans.read(tmp_path / "none")
    line = {"source": "a", "size": [4, 4]}
    with pytest.raises(RequestError, match="line 3: frame 0 of a is planned twice"):
        plans.read(_write(tmp_path / "p", line, line))


def test_sources_are_named_relative_to_the_plan_where_they_lie_below_it(tmp_path: Path) -> None:
    assert plans.relative(tmp_path / "sub" / "a.jpg", tmp_path / "p.jsonl") == "sub/a.jpg"
    assert plans.relative(tmp_path / "a.jpg", tmp_path / "sub" / "p.jsonl") == str(tmp_path / "a.jpg")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_plan_or_a_request_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "p"
    file.write_bytes(b'{"faceveil_plan": 1}\n' + content)
    with suppress(RequestError):
        plans.read(file)
