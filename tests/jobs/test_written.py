"""YAML with lines: a safe subset, bounded; whatever is wrong is one sentence with file and line."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.errors import RequestError
from faceveil.jobs.written import LONGEST_FILE, Written


def test_every_part_knows_its_line() -> None:
    written = Written.parse("# a job\na: 1\nb:\n  - x\n  - {c: true,\n     d: 2.5}\n", "f")
    assert written.value == {"a": 1, "b": ["x", {"c": True, "d": 2.5}]}
    lines = {("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6}
    assert {where: written.line(where) for where in lines} == lines
    assert written.line(("b", 1, "e", 7)) == 5
    assert written.line(("z",)) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x: 2024_01_01", "2024_01_01"),
        ("x: 2024-01-01", "2024-01-01"),
        ("x: 12:30", "12:30"),
        ("x: 007", "007"),
        ("x: 0", 0),
        ("x: '0'", "0"),
        ("x: -3", -3),
        ("x: 1_000", "1_000"),
        ("x: on", "on"),
        ("x: ~", None),
        ("x:", None),
        ("x: !!str 5", "5"),
        ("x: 1.5e-3", 0.0015),
        ("x: 99999999999999999999", "99999999999999999999"),
        ("x: >-\n  a\n  b", "a b"),
        ("x: [&a {y: 1}, *a]", [{"y": 1}, {"y": 1}]),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert Written.parse(text, "f").value == {"x": value}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: [1\n", "f, line 3: it cannot be read: expected ',' or ']'"),
        ("a: 1\na: 2\n", "f, line 2: 'a' is given twice, in line 1 too"),
        ("x:\n- {a: 1,\n   'a': 2}\n", "f, line 3: 'a' is given twice, in line 2 too"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "f, line 2: the tag '!!python/object/apply:os.system'"),
        ("a: !!int seven", "f, line 1: the tag '!!int' is not read here"),
        ("a: !!binary aGk=", "f, line 1: the tag '!!binary' is not read here"),
        ("a: !!set {b, c}", "f, line 1: the tag '!!set' is not read here"),
        ("3: a", "f, line 1: a field's name must be text"),
        ("? [a]\n: b", "f, line 1: a field's name must be text"),
        ("a: &a\n  - *a", "f, line 1: an alias stands in what it names"),
        ("a: *b", "f, line 1: it cannot be read: found undefined alias 'b'"),
        ("--- a\n--- b", "f, line 2: it cannot be read: but found another document"),
        ("a: 1\nb: \x07", "f, line 2: it cannot be read: the character U+0007 is not allowed"),
        ('a: "\\UFFFFFFFF"', "f, line 1: it cannot be read: an escape names a character that does not exist"),
        ("a: " + "x" * 5000, "f, line 1: a value is longer than 4,096 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        Written.parse(text, "f")
    assert str(caught.value).startswith(complaint)


def _laughs(levels: int) -> str:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    names = "abcdefghijklmno"[: levels + 1]
    lines += [f"{n}: &{n} [{', '.join(['*' + b] * 9)}]" for b, n in pairwise(names)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (_laughs(9), "more than 20,000 values, with its aliases followed"),
        ("a: [" + "1," * 40_000 + "]", "on for more than 20,000 values"),
        ("[" * 100_000, "deeper than 16 levels"),
        ("- " * 400, "deeper than 16 levels"),
    ],
)
def test_bombs_are_refused_quickly(text: str, complaint: str) -> None:
    started = time.monotonic()
    with pytest.raises(RequestError, match=complaint):
        Written.parse(text, "f")
    assert time.monotonic() - started < 30


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "job.yml"
    with pytest.raises(RequestError, match=r"cannot read the job .*job.yml: No such file"):
        Written.read(file)
    with pytest.raises(RequestError, match="cannot read the job .*: Is a directory"):
        Written.read(tmp_path)
    file.write_bytes(b"\xff\xfea")
    with pytest.raises(RequestError, match="it is not UTF-8 text"):
        Written.read(file)
    file.write_bytes(b"#" * (LONGEST_FILE + 1))
    with pytest.raises(RequestError, match="is longer than 1,000,000 bytes"):
        Written.read(file)
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert Written.read(file).value == {"a": 1, "b": 2}


_LIKE_YAML = st.text(st.sampled_from("ab01.:-[]{},&*!?|>'\"%#~< \n\t\\\x00\U0001f600"))


@given(st.one_of(st.text(), _LIKE_YAML))
def test_any_text_is_a_value_or_one_sentence(text: str) -> None:
    said = "f, line "
    try:
        Written.parse(text, "f")
    except RequestError as error:
        said = str(error)
    assert said.startswith("f, line ")
    assert said.isprintable()
