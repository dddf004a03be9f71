"""One policy behind YAML, command line and Python: the same fields, and complaints in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceveil import Area, Policy
from faceveil.errors import RequestError


def test_a_file_and_keywords_make_the_same_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("preset: fast\nmethod: mosaic:cells=4\narea: {width: 2, shape: box}\nseed: 7\n")
    made = Policy.of(preset="fast", method="mosaic:cells=4", area="width=2,shape=box", seed="7")
    assert Policy.read(file) == made
    assert made.area == Area(width=2, shape="box")
    assert Policy.model_validate_json(made.model_dump_json()) == made


def test_areas_have_names() -> None:
    assert Policy.of(area="face") == Policy()
    assert Policy.of(area="head").area.width == 2.4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"metod": "veil"}, "policy: there is no setting 'metod' — did you mean 'method'?"),
        ({"preset": "slow"}, "policy: 'preset': input should be 'fast', 'balanced' or 'thorough' (got 'slow')"),
        ({"area": "hat"}, "policy: 'area': area is 'face', 'head' or settings"),
        ({"area": "width=0"}, "policy: 'area.width': input should be greater than or equal to 0.1"),
        ({"area": "width=1("}, "policy: 'area': brackets do not match"),
        ({"method": "mosaic:cells"}, "policy: 'method': cannot read 'cells'"),
        (
            {"cover": "head"},
            "policy: 'cover': cover says what is covered, such as face,plate; how much of a face is said",
        ),
        ({"cover": {"width": 2}}, "policy: 'cover': cover says what is covered"),
        ({"cover": "width=2"}, "policy: 'cover': cover says what is covered"),
        ({"cover": Area()}, "policy: 'cover': cover says what is covered"),
        ({"cover": []}, "policy: 'cover': name what is to be covered, such as face,plate"),
        ({"cover": "face;plate"}, "policy: 'cover': 'face;plate' cannot name what is covered"),
        ({"cover": "DEFAULT"}, "policy: 'cover': 'DEFAULT' cannot name what is covered"),
        ({"methods": {"plate": "solid"}}, "policy: 'methods': 'plate' is not covered, so it has no method: say cover="),
        ({"methods": {"face": "mosaic:cells"}}, "policy: 'methods': cannot read 'cells'"),
        ({"methods": ["face"]}, "policy: 'methods': input should be a valid dictionary"),
        ({"method": "veil", "methods": {"DEFAULT": "veil"}}, "policy: 'methods': 'method' is given, and DEFAULT says"),
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


def test_what_is_covered_is_a_list_of_words(tmp_path: Path) -> None:
    assert Policy().cover == ("face",)
    assert Policy.of(cover="plate, face ,plate").cover == ("plate", "face")
    assert Policy.of(cover=["cell phone", "face"]).cover == ("cell phone", "face")
    file = tmp_path / "policy.yml"
    file.write_text("cover: [face, plate]\nmethods: {plate: solid, DEFAULT: blur}\n")
    made = Policy.read(file)
    assert made == Policy.of(cover="face,plate", method="blur", methods={"plate": "solid"})
    assert Policy.model_validate_json(made.model_dump_json()) == made


def test_each_label_has_a_method() -> None:
    made = Policy.of(cover="face,plate,person", method="blur", methods={"plate": "solid"})
    assert [made.method_of(label) for label in ("face", "plate", "person", "badge")] == [
        "blur",
        "solid",
        "blur",
        "blur",
    ]
    assert made.used == ("blur", "solid")
    assert Policy.of(cover="plate", methods={"plate": "solid"}).used == ("solid",)


def test_equal_policies_have_one_hash() -> None:
    """They are keys of caches."""
    one, other = (Policy.of(cover="face,plate", methods={"plate": "solid"}) for _ in range(2))
    assert hash(one) == hash(other)
    assert hash(one) != hash(Policy.of(cover="face,plate"))
