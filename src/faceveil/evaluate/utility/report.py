"""The report of a utility run: result.json and result.csv for programs, report.html for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from faceveil.evaluate.privacy.report.result import plain
from faceveil.evaluate.report.plots import COLOURS, MARKS, drawn, shown
from faceveil.evaluate.report.shell import html
from faceveil.evaluate.report.write import expect_folder, publish_all
from faceveil.evaluate.utility.measure import Figure, Used

__all__ = ["Report", "expect_folder", "write"]

KEY, VERSION = "faceveil_utility", 1
"""What the JSON begins with, and the version of its form."""
TITLE = "What the pictures are still good for"
_BROUGHT = ("attributes", "frechet")
COLUMNS = "condition measure k value low high".split()
WORDS = {
    "ssim_inside": "SSIM inside",
    "ssim_outside": "SSIM outside",
    "psnr_inside": "PSNR inside, dB",
    "psnr_outside": "PSNR outside, dB",
    "covered": "covered",
    "lpips": "LPIPS",
}
_METHOD = (
    "The same model learns from original and from painted pictures: the same pictures, the same seeds. 'Lost' is what "
    "the model of the originals names rightly more often than that of the painted ones, picture by picture; 'moved' "
    "is what the model of the originals loses when it is asked about painted pictures. Intervals are of 95 %: pictures "
    "are drawn anew with replacement, with all that every seed made of them. Faces found: of those that a detector of "
    "another make found in the originals, the share that it finds again. Inside is what covers and their soft edges "
    "touch; of other tools, where covers of ours would lie. Equal pictures count as 99 dB. Landmarks moved: the mean "
    "distance of the five landmarks of faces that are found again, as a share of the distance of their eyes; profiles "
    "give no such scale and do not count. Same class: of the faces of the originals, the share whose most probable "
    "class stays. The Fréchet distance is of features of whole pictures, from the originals; it grows where there are "
    "few pictures, so it is to be compared between sets of the same size alone."
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells. about: command, data, versions, settings; in words of JSON."""

    used: tuple[Used, ...]
    about: Mapping[str, Any]


def write(folder: Path, report: Report, *, overwrite: bool = False) -> None:
    """Write the three files. Raises as `expect_folder`, and `OutputError`."""
    expect_folder(folder, overwrite=overwrite)
    publish_all(folder, (as_json(report), as_csv(report), page(report)), overwrite=overwrite)


def as_json(report: Report) -> bytes:
    """The whole evaluation."""
    what = "rates are fractions; interval: the ends of 95 %; top, lost and moved by k of top-k"
    record = {KEY: VERSION, "what": what, **report.about, "conditions": report.used}
    return json.dumps(plain(record), indent=1, allow_nan=False).encode() + b"\n"


def as_csv(report: Report) -> bytes:
    """One line for each figure."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in report.used:
        for measure, k, figure in _figures(one):
            ends = figure.interval or (None, None)
            cells = ["" if value is None else f"{value:.6g}" for value in (figure.value, *ends)]
            writer.writerow([one.name, measure, k, *cells])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _figures(one: Used) -> Iterator[tuple[str, str, Figure]]:
    for measure, by in (("top", one.top), ("lost", one.lost), ("moved", one.moved)):
        yield from ((measure, str(k), figure) for k, figure in by.items())
    if one.found is not None:
        yield "faces found again", "", one.found
    if one.landmarks is not None:
        yield "landmarks moved", "", one.landmarks
    yield from ((f"attribute {name}", "", figure) for name, figure in one.attributes.items())
    yield from ((f"frechet {name}", "", figure) for name, figure in one.frechet.items())
    yield from ((measure, "", figure) for measure, figure in one.fidelity.items())


# --- the page -------------------------------------------------------------------------------------------------------


def page(report: Report) -> bytes:
    """The report as HTML."""
    about = report.about
    data = about["data"]
    counts = f"{data['pictures']:,} pictures of {len(data['classes'])} classes, {data['faces']:,} faces painted"
    body = (
        f'<h1>{TITLE}</h1><p class="soft">{escape(counts)}; model: {escape(str(about["settings"]["model"]))}, '
        f"{len(about['settings']['seeds'])} seeds</p>"
        f"<h2>What a model learns</h2>{_learned(report)}{drawn((8.5, 1.2 + 0.32 * len(report.used)), _plot(report))}"
        f"<h2>Faces and pixels</h2>{_rest(report)}"
        f"<h2>How it was measured</h2><p>{_METHOD}</p>{_about(about)}"
    )
    return html(TITLE, body)


def _learned(report: Report) -> str:
    tops = tuple(report.used[0].top)
    heads = [f"top-{k}" for k in tops] + [f"lost, top-{k}" for k in tops] + [f"moved, top-{k}" for k in tops]
    rows = [
        [one.name]
        + [percent(by[k]) for by in (one.top, one.lost, one.moved) for k in tops]
        + [f"{100 * min(one.by_seed[tops[0]]):.1f} to {100 * max(one.by_seed[tops[0]]):.1f}"]
        for one in report.used
    ]
    return _table(["", *heads, "seeds"], rows)


def _rest(report: Report) -> str:
    measures = [name for name in WORDS if any(name in one.fidelity for one in report.used)]
    classes, sets = (list(dict.fromkeys(n for one in report.used for n in getattr(one, kind))) for kind in _BROUGHT)
    rows = [
        [one.name, "" if one.found is None else percent(one.found), _moved(one)]
        + [_cell(name, one.fidelity.get(name)) for name in measures]
        + ["" if name not in one.attributes else percent(one.attributes[name]) for name in classes]
        + ["" if name not in one.frechet else _with_ends(one.frechet[name], ".2f", 1) for name in sets]
        for one in report.used
    ]
    heads = ["faces found", "landmarks moved", *(WORDS[name] for name in measures)]
    heads += [f"same class, {name}" for name in classes] + [f"Fréchet distance, {name}" for name in sets]
    return _table(["", *heads], rows)


def _moved(one: Used) -> str:
    return "" if one.landmarks is None else f"{percent(one.landmarks)} ({one.aligned} faces)"


def _cell(name: str, figure: Figure | None) -> str:
    if figure is None:
        return ""
    if name == "covered":
        return percent(figure)
    return _with_ends(figure, ".1f" if name.startswith("psnr") else ".3f", 1)


def told(one: Used) -> Iterator[str]:
    """What networks of the user's own make of a condition, in words."""
    if "lpips" in one.fidelity:
        yield f"LPIPS {_cell('lpips', one.fidelity['lpips'])}"
    yield from (f"same class, {name}, {percent(figure)}" for name, figure in one.attributes.items())
    yield from (f"Fréchet distance, {name}, {_with_ends(figure, '.2f', 1)}" for name, figure in one.frechet.items())


def percent(figure: Figure) -> str:
    """A share with its interval, in words."""
    return f"{_with_ends(figure, '.1f', 100)} %"


def _with_ends(figure: Figure, form: str, factor: float) -> str:
    def told(value: float) -> str:
        text = format(value * factor, form)
        return text if float(text) else text.lstrip("-")  # no minus before nothing

    ends = "" if figure.interval is None else f" [{told(figure.interval[0])}, {told(figure.interval[1])}]"
    return f"{told(figure.value)}{ends}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _plot(report: Report) -> Any:
    def draw(axes: Any) -> None:
        top = min(report.used[0].top)
        for at, (word, by) in enumerate((("learned and asked", "lost"), ("learned from originals", "moved"))):
            figures = [getattr(one, by)[top] for one in report.used[1:]]
            values = np.array([100 * figure.value for figure in figures])
            ends = np.array([[100 * end for end in figure.interval or (figure.value,) * 2] for figure in figures])
            reach = np.abs(ends.reshape(-1, 2) - values[:, None]).T
            places = np.arange(len(values)) + (at - 0.5) * 0.25
            axes.errorbar(values, places, xerr=reach, fmt=MARKS[at], color=COLOURS[at], label=word, markersize=5)
        axes.axvline(0, color="#555555", linewidth=1)
        axes.set_yticks(range(len(report.used) - 1), [shown(one.name) for one in report.used[1:]])
        axes.set_ylim(len(report.used) - 1.4, -0.6)
        axes.set(xlabel=f"percent of pictures no longer named rightly (top-{top})")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2, frameon=False, fontsize=9)

    return draw


def _about(about: Mapping[str, Any]) -> str:
    lines = [
        ("Command", about["command"]),
        ("Data", json.dumps(about["data"])),
        ("Settings", json.dumps(about["settings"])),
    ]
    lines += [("Versions", ", ".join(f"{name} {told}" for name, told in about["made"].items()))]
    return "<dl>" + "".join(f"<dt>{word}</dt><dd><code>{escape(text)}</code></dd>" for word, text in lines) + "</dl>"
