"""The report: whole, its owner's alone, without names, harmless whatever is in it; and two of them compared."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from privacy_samples import blackout, crowd, embeddings, evidence
from scipy.stats import binomtest

from faceveil.apps.cli.compare import compare as command
from faceveil.errors import MissingExtra, RequestError
from faceveil.evaluate.privacy.compare import apart, compare, read
from faceveil.evaluate.privacy.evidence import ORIGINAL
from faceveil.evaluate.privacy.measures import Rate
from faceveil.evaluate.privacy.privacy import measure
from faceveil.evaluate.privacy.report.plots import families
from faceveil.evaluate.privacy.report.result import COLUMNS, KEY, About, Report, as_csv, as_json
from faceveil.evaluate.privacy.report.samples import samples
from faceveil.evaluate.privacy.report.write import write
from faceveil.evaluate.report import plots
from faceveil.evaluate.report.write import FILES
from faceveil.policy import Area

EVIL = "<script>alert(1)</script>&\"'\udcff$x^2$\n人"
PEOPLE = replace(crowd(14, 6), names=tuple(f"Secret {k} Person" for k in range(14)))
GEOMETRY = {"cover": embeddings(PEOPLE, 1.0, 3, 4).astype(float)}


@pytest.fixture(scope="module")
def report() -> Report:
    rows = [
        evidence(PEOPLE),
        evidence(PEOPLE, "solid", 0.0, area=Area(), geometry=GEOMETRY),
        evidence(PEOPLE, "blur:sigma=0.1", 1.0, area=Area(), own=0.4),
        evidence(PEOPLE, "blur:sigma=0.3", 0.4, area=Area(), denoised={"median": {"one": embeddings(PEOPLE, 1.5, 8)}}),
        evidence(PEOPLE, EVIL, 0.5, spec=EVIL),
        blackout(PEOPLE),
    ]
    made = measure(rows, PEOPLE, thresholds={"one": 1.1}, resamples=150)
    about = About(EVIL, {"path": EVIL, "sha256": "ab12"}, {"cover": "default"}, {"one": {"sha256": "cd34"}})
    return Report(made, about, samples(rows, PEOPLE))


class _Page(HTMLParser):
    """What a page is made of, and whether its tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "xlink:href") and value]
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "report"
    write(folder, report)
    return folder


def test_a_report_is_three_files_for_its_owner_alone(folder: Path, report: Report) -> None:
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    for name in FILES:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    with pytest.raises(RequestError, match="holds a report already"):
        write(folder, report)


def test_the_page_needs_nothing_else_and_runs_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert not page.open
    assert "script" not in page.tags
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert page.tags.count("svg") >= 5
    assert "default-src 'none'" in text
    for words in ("re-identifiable", "at chance", "detection error trade-off", "blur:sigma=0.3", "ab12", "cd34"):
        assert words in text


def test_no_name_of_a_person_is_written(folder: Path) -> None:
    for name in FILES:
        assert b"Secret" not in (folder / name).read_bytes()


def test_originals_are_shown_only_where_that_is_asked_for(report: Report) -> None:
    assert ORIGINAL not in [one.condition for one in report.samples]
    shown = samples([evidence(PEOPLE)], PEOPLE, count=3, originals=True)
    assert [one.condition for one in shown] == [ORIGINAL]
    assert len(shown[0].pictures) == 3
    assert all(picture.startswith(b"\xff\xd8") for picture in shown[0].pictures)


def test_the_json_says_all_that_was_measured(folder: Path, report: Report) -> None:
    read_back = json.loads((folder / "result.json").read_bytes())
    assert read_back[KEY] == 1
    assert read_back["command"] == EVIL
    assert read_back["settings"]["seed"] == report.privacy.seed
    assert read_back["made"]["scikit-learn"]
    assert read_back["data"]["sha256"] == "ab12"
    for written, one in zip(read_back["conditions"], report.privacy.conditions, strict=True):
        assert written["name"] == one.name
        assert [found["rank1"]["value"] for found in written["findings"]] == pytest.approx(
            [found.rank1.value for found in one.findings], abs=1e-6
        )
        assert len(written["compared"]) == len(one.compared)
    assert read_back["conditions"][1]["area"]["width"] == Area().width


def test_the_csv_has_one_line_for_each_figure(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(report).decode("utf-8", "backslashreplace"))))
    assert list(rows[0]) == COLUMNS
    named = [row for row in rows if row["condition"] == "blur:sigma=0.1" and row["measure"] == "rank-1"]
    condition = report.privacy.condition("blur:sigma=0.1")
    assert len(named) == len(condition.findings) + len(condition.linkage)
    assert float(named[0]["value"]) == pytest.approx(condition.findings[0].rank1.value or 0, abs=1e-5)
    for measure_ in ("eer", "fnmr at fmr 0.01", "generalised fnmr at fmr 0.001", "failure to acquire", "rank-5"):
        assert any(row["measure"] == measure_ for row in rows)
    assert any(row["measure"].startswith("mated that match at distance 1.1 (as published)") for row in rows)


def test_strengths_of_one_method_are_drawn_together(report: Report) -> None:
    groups = {name: [one.name for one in group] for name, group in families(report.privacy.conditions)}
    assert groups == {"blur": ["blur:sigma=0.1", "blur:sigma=0.3"], "methods in one strength": ["solid", EVIL]}


def test_the_same_figures_give_the_same_page(report: Report) -> None:
    from faceveil.evaluate.privacy.report.page import page  # noqa: PLC0415

    assert page(report) == page(report)
    assert as_json(report) == as_json(report)


def test_without_matplotlib_the_cure_is_named(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="matplotlib"):
        write(tmp_path / "r", report)
    assert not (tmp_path / "r").exists()


# --- two results -----------------------------------------------------------------------------------------------------


def test_a_result_compared_with_itself_has_not_changed(folder: Path) -> None:
    made = compare(read(folder), read(folder / "result.json"))
    assert made.changes
    assert all(one.change.value in (0, None) and not one.sure for one in made.changes)
    assert all(one.before == one.after for one in made.turns)
    assert made.remarks == ()


def test_what_changed_for_sure_is_told(folder: Path, report: Report, tmp_path: Path) -> None:
    rows = [evidence(PEOPLE), evidence(PEOPLE, "blur:sigma=0.1", 0.0, own=0.4), evidence(PEOPLE, "new", 0.1)]
    write(tmp_path / "b", replace(report, privacy=measure(rows, PEOPLE, seed=1, resamples=150), about=About()))
    made = compare(read(folder), read(tmp_path / "b"))
    sure = [one for one in made.changes if one.sure]
    assert {one.condition for one in sure} == {"blur:sigma=0.1"}
    assert all((one.change.value or 0) < 0 for one in sure)
    text = "\n".join(made.remarks)
    for words in (
        "in the second result alone: new",
        "the pictures are not the same",
        "the seeds differ",
        "recognisers",
    ):
        assert words in text
    done = CliRunner().invoke(command, [str(folder), str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert "blur:sigma=0.1: re-identifiable -> at chance" in done.output
    assert re.search(r"naive, face, one: .* -> .*, -\d+\.\d points \[-\d+\.\d, -\d+\.\d\]", done.output)
    assert "note: the seeds differ" in done.output
    everything = CliRunner().invoke(command, [str(folder), str(tmp_path / "b"), "--all"])
    assert len(everything.output.splitlines()) > len(done.output.splitlines())


@given(a=st.integers(0, 50), b=st.integers(0, 80))
def test_a_change_of_wilsons_rates_is_newcombes(a: int, b: int) -> None:
    def rate(found: int, of: int) -> Rate:
        ends = binomtest(found, of).proportion_ci(0.95, method="wilson")
        return Rate(found / of, ends.low, ends.high, of)

    one, two = rate(a, 50), rate(b, 80)
    made = apart(one, two)
    assert made.low is not None
    assert made.high is not None
    # Newcombe, Statistics in Medicine 17, 1998, method 10.
    assert two.low is not None
    assert one.high is not None
    low = (b / 80 - a / 50) - math.sqrt((b / 80 - two.low) ** 2 + (one.high - a / 50) ** 2)
    assert made.low == pytest.approx(max(-1, low))
    assert made.low <= (made.value or 0) <= made.high


def test_newcombes_published_example() -> None:
    # Newcombe 1998, table II: 56/70 - 48/80, method 10 gives 0.0524 to 0.3339.
    def rate(found: int, of: int) -> Rate:
        ends = binomtest(found, of).proportion_ci(0.95, method="wilson")
        return Rate(found / of, ends.low, ends.high, of)

    made = apart(rate(48, 80), rate(56, 70))
    assert (made.low, made.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is no result"),
        (b'{"faceveil_evaluation": 1}', "is no result"),
        (b'{"faceveil_privacy": 7}', "has form 7"),
        (b'{"faceveil_privacy": 1, "people": "x"}', "is damaged: people"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_result_is_refused_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RequestError, match=words):
        read(tmp_path / "a.json")


def test_a_damaged_rate_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "result.json").read_bytes())
    content["conditions"][0]["findings"][0]["rank1"]["value"] = 3
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RequestError, match="is damaged"):
        read(tmp_path / "a.json")
    with pytest.raises(RequestError, match="cannot read"):
        read(tmp_path / "b.json")


def test_results_without_a_common_condition_are_refused(folder: Path) -> None:
    one = read(folder)
    with pytest.raises(RequestError, match="no condition in common"):
        compare(one, one.model_copy(update={"conditions": ()}))


def test_figures_of_nothing_do_not_change() -> None:
    assert apart(Rate(None, None, None, 0), Rate(0.5, 0.4, 0.6, 9)) == Rate(None, None, None, 0)
    assert apart(Rate(0.5, None, None, 4), Rate(0.75, 0.4, 0.9, 9)) == Rate(0.25, None, None, 4)
    assert np.isclose(apart(Rate(0.5, 0.5, 0.5, 4), Rate(0.75, 0.5, 0.9, 9)).low or 0, 0.0)
