"""The plots of a report, as SVG that stands in the page itself."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from faceveil.errors import MissingExtra
from faceveil.evaluate.gauge import IOUS, RECALL
from faceveil.evaluate.match import curve
from faceveil.evaluate.summary import Figure, Row

# Told apart by people who see few colours: Okabe and Ito, Color Universal Design, 2008; the marks differ, too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#8c6d1f")
MARKS = "osD^vPX*"
NAME = 44  # characters
POINTS = 400  # of a curve; more cannot be seen
_STYLE: Any = {
    "text.parse_math": False,  # a name with $ is a name
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "faceveil",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}


def expect_matplotlib() -> None:
    """Raise `MissingExtra` where there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise MissingExtra("a report needs matplotlib", hint="pip install 'faceveil[evaluate]'")


def drawn(size: tuple[float, float], draw: Callable[[Any], None], *, rows: int = 1, columns: int = 1) -> str:
    """An SVG of one pair of axes, or of rows and columns of them. size: in inches. draw: is given the axes."""
    import matplotlib as mpl  # noqa: PLC0415  (0.5 s, wanted only for reports)
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415  (not pyplot: no windows, no global state)

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its font lacks a letter: the reader's has it, text stays text
        figure = Canvas(figsize=size, layout="constrained")
        draw(figure.subplots(rows, columns))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    return re.sub(r"font: ([^;\"]*)'DejaVu Sans'[^;\"]*", r"font: \1inherit", svg[svg.index("<svg") :])


def shown(text: str) -> str:
    """A name as it can stand in a plot: printable, and no longer than a legend is wide."""
    clean = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return clean if len(clean) <= NAME else clean[: NAME - 1] + "…"


def by_size(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Recall by height of the face, with intervals."""
    bands = [figure.key for figure in rows[0].figures if figure.key.kind == "band" and figure.key.iou == IOUS[0]]

    def draw(axes: Any) -> None:
        for at, row in enumerate(rows):
            figures = [row.of(RECALL, key.group, IOUS[0]) for key in bands]
            x = np.arange(len(bands)) + (at - (len(rows) - 1) / 2) * min(0.12, 0.7 / len(rows))
            _dots(axes, x, figures, at, names[at], upright=True)
        axes.set_xticks(np.arange(len(bands)), [f"{key.group}\n{key.n} faces" for key in bands])
        axes.set(ylim=(0, 1.02), ylabel=f"recall at IoU {IOUS[0]}", xlabel="height of the face")
        axes.grid(axis="x", visible=False)
        axes.legend(loc="lower right", frameon=False)

    return drawn((6.2, 3.9), draw)


def by_word(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Recall by what is said of the faces; empty where nothing is."""
    keys = [figure.key for figure in rows[0].figures if figure.key.kind == "about" and figure.key.iou == IOUS[0]]
    if not keys:
        return ""

    def draw(axes: Any) -> None:
        for at, row in enumerate(rows):
            y = np.arange(len(keys)) + (at - (len(rows) - 1) / 2) * min(0.16, 0.7 / len(rows))
            _dots(axes, y, [row.of(RECALL, key.group, IOUS[0]) for key in keys], at, names[at], upright=False)
        axes.set_yticks(np.arange(len(keys)), [f"{shown(key.group)} ({key.n})" for key in keys])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1.02), xlabel=f"recall at IoU {IOUS[0]}")
        for i in range(1, len(keys)):
            if keys[i].group.split(":")[0] != keys[i - 1].group.split(":")[0]:
                axes.axhline(i - 0.5, color="#bbbbbb", linewidth=0.8)
        axes.grid(axis="y", visible=False)

    return drawn((6.2, 1.0 + 0.3 * len(keys)), draw)


def _dots(axes: Any, at: Any, figures: list[Figure], number: int, name: str, *, upright: bool) -> None:
    values = np.array([np.nan if one.value is None else one.value for one in figures])
    low = np.array([value if one.low is None else one.low for one, value in zip(figures, values, strict=True)])
    high = np.array([value if one.high is None else one.high for one, value in zip(figures, values, strict=True)])
    reach = np.abs(np.stack([values - low, high - values]))
    style: dict[str, Any] = {
        "fmt": MARKS[number % len(MARKS)],
        "color": COLOURS[number % len(COLOURS)],
        "label": shown(name),
    }
    style |= {"markersize": 5, "capsize": 0, "elinewidth": 1.6}
    if upright:
        axes.errorbar(at, values, yerr=reach, **style)
    else:
        axes.errorbar(values, at, xerr=reach, **style)


def precision_recall(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Precision against recall; the mark is the detector's own threshold."""

    def draw(axes: Any) -> None:
        for at, row in enumerate(rows):
            recall, precision, _ = points(row, IOUS[0])
            _line(axes, recall, precision, at, names[at])
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel=f"recall at IoU {IOUS[0]}", ylabel="precision")
        axes.legend(loc="lower left", frameon=False)

    return drawn((6.2, 3.9), draw)


def false_recall(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Recall against false positives a picture; the mark is the detector's own threshold."""

    def draw(axes: Any) -> None:
        for at, row in enumerate(rows):
            recall, _, false = points(row, IOUS[0])
            _line(axes, false, recall, at, names[at])
        axes.set_xscale("symlog", linthresh=0.1)
        axes.set_xticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
        right = max((points(row, IOUS[0])[2].max(initial=0) for row in rows), default=1)
        axes.set(xlim=(0, max(1.0, 1.3 * right)), ylim=(0, 1.02))
        axes.set(xlabel="false positives a picture", ylabel=f"recall at IoU {IOUS[0]}")

    return drawn((6.2, 3.9), draw)


def _line(axes: Any, x: Any, y: Any, number: int, name: str) -> None:
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(x, y, color=colour, linewidth=1.6)
    axes.plot(x[-1:], y[-1:], MARKS[number % len(MARKS)], color=colour, label=shown(name), markersize=6)


def points(row: Row, iou: float) -> tuple[Any, Any, Any]:
    """Recall, precision and false positives a picture at falling thresholds, thinned to what can be seen."""
    sample, found = row.sample, row.sample.found[iou]
    faces = int(sample.complete[sample.picture].sum())
    pictures = max(int(sample.complete.sum()), 1)
    recall, precision = curve(found.score, found.hit, faces)
    order = np.argsort(-found.score, kind="stable")
    false = (~found.hit[order]).cumsum() / pictures
    kept = np.unique(np.linspace(0, max(len(recall) - 1, 0), POINTS).astype(int)) if len(recall) else np.zeros(0, int)
    return recall[kept], precision[kept], false[kept]
