"""Specs read what they write; wrong ones are refused in one sentence that names the cure."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil import plugins
from faceveil.errors import MissingExtra, RequestError
from faceveil.plugins import DEIDENTIFY, DETECT, Spec, parse


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("veil", Spec("veil")),
        (" dlib-hog ", Spec("dlib-hog")),
        ("mosaic:cells=4,b=10", Spec("mosaic", {"cells": "4", "b": "10"})),
        ("mosaic(cells=4)", Spec("mosaic", {"cells": "4"})),
        (
            "union(centerface(size=640), tiles(dlib-hog), iou=.3)",
            Spec("union", {"iou": ".3"}, (Spec("centerface", {"size": "640"}), Spec("tiles", {}, (Spec("dlib-hog"),)))),
        ),
        ("scales(a, sizes=[640, 1280])", Spec("scales", {"sizes": ["640", "1280"]}, (Spec("a"),))),
        ("image:path=a/b c.png", Spec("image", {"path": "a/b c.png"})),
    ],
)
def test_specs(text: str, spec: Spec) -> None:
    assert parse(text) == spec


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "does not start with a name"),
        ("4veil", "does not start with a name"),
        ("mosaic:cells", "cannot read 'cells' in 'mosaic:cells' — settings are written key=value"),
        ("mosaic:cells=", "cannot read 'cells='"),
        ("mosaic:cells=4,cells=5", "'cells' is given twice"),
        ("union(a", r"cannot read '\(a' in 'union\(a'"),
        ("union(a))", "brackets do not match"),
        ("veil!", "cannot read '!'"),
        ("a(" * 2000 + ")" * 2000, "brackets go deeper than 32"),
    ],
)
def test_unreadable_specs_are_quoted(text: str, complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_spec_or_a_request_error(text: str) -> None:
    with suppress(RequestError):
        assert parse(text).name


@pytest.mark.parametrize(
    ("group", "spec", "complaint"),
    [
        (DEIDENTIFY, "blurr", "no method is called 'blurr' — did you mean 'blur'?"),
        (DETECT, "zzz", "no detector is called 'zzz' — known: "),
        (DEIDENTIFY, "mosaic:cell=4", "method 'mosaic': there is no setting 'cell' — did you mean 'cells'?"),
        (DEIDENTIFY, "mosaic:cells=many", "method 'mosaic': 'cells': input should be a valid integer"),
        (DEIDENTIFY, "keep:x=1", "method 'keep': there is no setting 'x' — it has no settings"),
        (DETECT, "centerface(mtcnn)", "detector 'centerface' takes no other detectors in brackets"),
        (DETECT, "flip(centerface, mtcnn)", "detector 'flip' takes one detector in brackets, got 2"),
    ],
)
def test_wrong_plugins_are_refused_with_a_cure(group: str, spec: str, complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        plugins.make(group, spec)
    assert str(caught.value).startswith(complaint)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("group", "spec"),
    [
        (DEIDENTIFY, "veil"),
        (DEIDENTIFY, "mosaic:cells=7"),
        (DETECT, "union(centerface(size=640), flip(mtcnn(network_thresholds=[0.5;0.6;0.7])))"),
        (DETECT, "scales(centerface, sizes=[320;960])"),
    ],
)
def test_specs_of_plugins_read_back_as_the_same_plugin(group: str, spec: str) -> None:
    made = plugins.make(group, spec)
    assert made.spec == spec
    assert plugins.make(group, made.spec) == made


@pytest.mark.parametrize(("value", "extra"), [("absent_part:Found [litert]", "litert"), ("absent_part:Found", "found")])
def test_a_missing_part_names_the_extra_that_the_entry_point_names(
    value: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("found", value, DETECT)
    monkeypatch.setattr(plugins, "_entries", lambda _group: {"found": entry})
    with pytest.raises(MissingExtra, match="detector 'found' needs absent_part") as caught:
        plugins.load(DETECT, "found")
    assert caught.value.hint == f"pip install 'faceveil[{extra}]'"


@pytest.mark.parametrize("group", [DETECT, DEIDENTIFY])
def test_every_plugin_is_called_what_its_entry_point_says(group: str) -> None:
    assert plugins.names(group)
    for name in plugins.names(group):
        assert plugins.load(group, name).name == name
