"""The report: whole, its owner's alone, and harmless whatever the data set is called."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate_samples import looked
from PIL import Image

from faceveil.errors import MissingExtra, RequestError
from faceveil.evaluate import misses
from faceveil.evaluate.gauge import FALSE
from faceveil.evaluate.report import plots
from faceveil.evaluate.report.result import PERSONAL, Evaluation
from faceveil.evaluate.report.write import FILES, expect_folder, write
from faceveil.evaluate.summary import remarks, summed_up
from faceveil.evaluate.truth import Dataset

EVIL = "<script>alert(1)</script>&\"'\udcff$x^2$\n人"


@pytest.fixture
def made(tmp_path: Path) -> Evaluation:
    """Two detectors on twelve pictures, half of which can be read again."""
    found = looked(12, 1, 2)
    rng = np.random.default_rng(0)
    for at, truth in enumerate(found.truths):
        path = tmp_path / f"{at}{EVIL.replace('/', '')}.png"
        if at % 2:
            Image.fromarray(rng.integers(0, 255, (600, 620, 3), np.uint8)).save(path)
        found.truths[at] = replace(truth, path=path)
    rows = summed_up(found, resamples=100)
    data = Dataset(tmp_path / "<b>data</b>", "coco", (), (EVIL,), frozenset({"face"}))
    return Evaluation(data, found, rows, ("first", EVIL), tuple(remarks(found, rows, (EVIL,))), EVIL)


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
        if tag not in ("meta", "img", "br", "path", "use", "rect", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)


def _page(folder: Path) -> tuple[str, _Page]:
    text = (folder / "report.html").read_text(encoding="utf-8")
    return text, _Page(text)


def test_the_files_are_whole_and_their_owners_alone(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == sorted(FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "r").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o700


def test_the_page_loads_nothing_and_runs_nothing(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    text, page = _page(tmp_path / "r")
    assert "script" not in page.tags
    assert page.open == []
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert not re.search(r"https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", text)
    assert text.index(PERSONAL) < text.index("<h1>")
    assert "&lt;b&gt;data&lt;/b&gt;" in text


def test_the_same_figures_give_the_same_page(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "a", made)
    write(tmp_path / "b", made)
    texts = [re.sub(r"\d{4}-\d\d-\d\dT[\d:]+", "", _page(tmp_path / name)[0]) for name in "ab"]
    assert texts[0] == texts[1]


def test_the_worst_misses_are_shown_as_far_as_they_can_be_read(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    text, page = _page(tmp_path / "r")
    shots = [address for address in page.addresses if address.startswith("data:")]
    worst = misses.worst(made.looked)
    assert len(shots) == sum(miss.picture % 2 for miss in worst)
    assert text.count("could not be read again") == len(worst) - len(shots)
    with Image.open(io.BytesIO(base64.b64decode(shots[0].partition(",")[2]))) as shot:
        assert max(shot.size) <= 260


def test_pictures_may_be_left_out(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made, pictures=False)
    text, page = _page(tmp_path / "r")
    assert "img" not in page.tags
    assert "data:image" not in text
    assert "Their pictures were left out." in text


def test_misses_come_in_the_order_of_their_weight(made: Evaluation) -> None:
    worst = misses.worst(made.looked, limit=1000)
    keys = [(-len(miss.by), -miss.size[1]) for miss in worst]
    assert keys == sorted(keys)
    sample = made.rows[0].sample
    assert len([miss for miss in worst if 0 in miss.by]) == int((sample.score[0.4] == -1).sum())
    assert len(misses.worst(made.looked, limit=3)) == 3


def test_the_json_has_all_that_is_needed_to_make_it_again(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    record = json.loads((tmp_path / "r" / "result.json").read_bytes())
    assert record["data"]["sha256"] == "ab" * 32
    assert record["settings"]["seed"] == 0
    assert {"faceveil", "numpy", "onnxruntime", "opencv-python-headless"} <= set(record["made"])
    assert record["data"]["pictures"] == 12
    first, second = record["detectors"]
    assert first["differences_from_the_first"] == []
    assert len(second["differences_from_the_first"]) == len(second["figures"])
    assert {"measure", "n", "value", "low", "high"} <= set(first["figures"][0])


def test_the_csv_tells_the_same_as_the_json(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    record = json.loads((tmp_path / "r" / "result.json").read_bytes())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r" / "result.csv").read_text(errors="surrogateescape"))))
    figures = [figure for one in record["detectors"] for figure in one["figures"]]
    assert len(rows) == len(figures)
    for row, figure in zip(rows, figures, strict=True):
        assert (float(row["value"]) if row["value"] else None) == (
            None if figure["value"] is None else pytest.approx(figure["value"], rel=1e-4, abs=1e-6)
        )
    assert rows[0]["difference"] == ""
    assert rows[-1]["difference"] != ""


def test_a_report_is_not_written_over(made: Evaluation, tmp_path: Path) -> None:
    write(tmp_path / "r", made)
    with pytest.raises(RequestError, match=r"holds a report already \(result.json\) — --overwrite replaces it"):
        expect_folder(tmp_path / "r", overwrite=False)
    write(tmp_path / "r", made, overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is a file, and a report is a folder"):
        expect_folder(tmp_path / "file", overwrite=True)


def test_without_matplotlib_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"a report needs matplotlib — pip install 'faceveil\[evaluate\]'"):
        expect_folder(tmp_path / "r", overwrite=False)


def test_a_single_detector_without_a_face_has_a_page_too(made: Evaluation, tmp_path: Path) -> None:
    found = looked(3, 1)
    found.truths = [replace(one, xyxy=one.xyxy[:0], ignored=one.ignored[:0], about={}) for one in found.truths]
    rows = summed_up(found, resamples=100)
    write(tmp_path / "r", replace(made, looked=found, rows=rows, names=("only",), remarks=tuple(remarks(found, rows))))
    text, page = _page(tmp_path / "r")
    assert "No face is labelled: there is no recall" in text
    assert "svg" not in page.tags
    assert rows[0].of(FALSE).value
