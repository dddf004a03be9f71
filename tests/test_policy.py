"""One policy behind YAML, command line and Python: the same fields, and complaints in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceveil import Cover, Policy
from faceveil.errors import RequestError


def test_a_file_and_keywords_make_the_same_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("preset: fast\nmethod: mosaic:cells=4\ncover: {width: 2, shape: box}\nseed: 7\n")
    made = Policy.of(preset="fast", method="mosaic:cells=4", cover="width=2,shape=box", seed="7")
    assert Policy.read(file) == made
    assert made.cover == Cover(width=2, shape="box")
    assert Policy.model_validate_json(made.model_dump_json()) == made


def test_covers_have_names() -> None:
    assert Policy.of(cover="face") == Policy()
    assert Policy.of(cover="head").cover.width == 2.4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"metod": "veil"}, "policy: there is no setting 'metod' — did you mean 'method'?"),
        ({"preset": "slow"}, "policy: 'preset': input should be 'fast', 'balanced' or 'thorough' (got 'slow')"),
        ({"cover": "hat"}, "policy: 'cover': cover is 'face', 'head' or settings"),
        ({"cover": "width=0"}, "policy: 'cover.width': input should be greater than or equal to 0.1"),
        ({"cover": "width=1("}, "policy: 'cover': brackets do not match"),
        ({"method": "mosaic:cells"}, "policy: 'method': cannot read 'cells'"),
        ({"min_score": 2}, "policy: 'min_score': input should be less than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        Policy.of(**settings)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"- a\n- b\n", "must hold settings such as 'method: veil', got list"),
        (b"a: [1\n", "is not YAML"),
        (b"\xff\xfe\x00", "cannot read the policy"),
    ],
)
def test_files_that_are_no_policy(tmp_path: Path, text: bytes, complaint: str) -> None:
    file = tmp_path / "p.yml"
    file.write_bytes(text)
    with pytest.raises(RequestError, match=complaint):
        Policy.read(file)
    with pytest.raises(RequestError, match="cannot read the policy .*: No such file"):
        Policy.read(tmp_path / "none.yml")


def test_an_empty_file_is_the_default_policy(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("# nothing yet\n")
    assert Policy.read(tmp_path / "p.yml") == Policy()
