"""What people read: one page that needs nothing else, with tables, plots and the worst misses."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape

from faceveil.evaluate.gauge import AP, AP_101, FALSE, IOUS, MS, PRECISION, RECALL
from faceveil.evaluate.misses import Miss
from faceveil.evaluate.report import plots
from faceveil.evaluate.report.result import PERSONAL, Evaluation
from faceveil.evaluate.report.shell import html
from faceveil.evaluate.summary import Figure, Row

_METHOD = (
    "Detections are matched in order of score, each to the free face with the highest IoU. A detection that overlaps "
    "only an ignored face counts neither way; every other one is a false positive, and so is one on a real face that "
    "nobody labelled. Average precision is the area under the interpolated precision-recall curve over all points; "
    "detections below a detector's own threshold were never told, so it is a lower bound. For the intervals whole "
    "pictures are drawn anew with replacement, because faces of one picture are alike."
)

Column = tuple[str, str, str]
"""What stands above a column, and the measure and group of its figures."""


def page(made: Evaluation, misses: Sequence[Miss], shots: Sequence[bytes] | None) -> bytes:
    """The report as HTML. shots: a JPEG of each miss, or None to show no pictures."""
    title = f"Finding faces in {made.data.path.absolute().name}"
    parts = [
        f'<p class="warn"><b>{escape(PERSONAL)}</b></p>',
        f"<h1>{escape(title)}</h1>",
        _lead(made),
        _remarks(made),
        _tables(made),
        _plots(made),
        _misses(made, misses, shots),
        _method(made),
    ]
    return html(title, "".join(parts))


def _lead(made: Evaluation) -> str:
    data = made.about()["data"]
    counts = f"{_count(data['pictures'], 'picture')}, {_count(data['faces'], 'judged face')}"
    if data["ignored_faces"]:
        counts += f", {data['ignored_faces']} ignored"
    if data["labelled_completely"] < data["pictures"]:
        counts += f"; {data['labelled_completely']} pictures are labelled completely, the others count for recall alone"
    return f'<p class="soft">{escape(counts)}</p>'


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _remarks(made: Evaluation) -> str:
    if not made.remarks:
        return ""
    return "<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in made.remarks) + "</ul>"


# --- tables ----------------------------------------------------------------------------------------------------------


def _tables(made: Evaluation) -> str:
    recall: list[Column] = [(f"recall<br>from {size} px", RECALL, f"from {size} px") for size in made.sizes]
    rest: list[Column] = [
        ("average<br>precision", AP, ""),
        ("precision", PRECISION, ""),
        ("false<br>per picture", FALSE, ""),
    ]
    time: list[Column] = [("ms per<br>picture", MS, "")]
    made_of = [
        "<h2>What is found, and what it costs</h2><p>A face counts as found where a detection overlaps it by an IoU "
        f"of {IOUS[0]} or more. Below each figure stands its 95 % interval.</p>",
        _table(made, made.rows, [*recall, *rest, *time], IOUS[0], _plain),
    ]
    if len(made.rows) > 1:
        first = escape(made.names[0])
        made_of += [
            f"<h2>Differences from {first}</h2><p>Both looked at the same pictures, so each difference is taken "
            "picture by picture. Bold: the interval does not hold zero.</p>",
            _table(made, made.rows[1:], [*recall, *rest, *time], IOUS[0], _signed),
        ]
    loose = [*recall, *rest, ("average precision<br>101 points", AP_101, "")]
    made_of += [
        f"<details><summary>The same at an IoU of {IOUS[1]}, which is enough for a cover to hide the face</summary>",
        _table(made, made.rows, loose, IOUS[1], _plain),
        "</details>",
    ]
    return "".join(made_of)


def _table(
    made: Evaluation, rows: Sequence[Row], columns: list[Column], iou: float, cell: Callable[[Figure], str]
) -> str:
    head = "".join(f"<th>{title}</th>" for title, _, _ in columns)
    body = []
    for row in rows:
        at = made.rows.index(row)
        figures = row.differences if cell is _signed else row.figures
        cells = "".join(cell(_named(figures, measure, group, iou)) for _, measure, group in columns)
        body.append(f"<tr><td>{_swatch(at)}{escape(made.names[at])}</td>{cells}</tr>")
    rows_ = "".join(body)
    return (
        f'<div class="wide"><table><thead><tr><th>detector</th>{head}</tr></thead><tbody>{rows_}</tbody></table></div>'
    )


def _named(figures: Sequence[Figure], measure: str, group: str, iou: float) -> Figure:
    return next(
        one for one in figures if (one.key.measure, one.key.group) == (measure, group) and one.key.iou in (iou, None)
    )


def _swatch(at: int) -> str:
    return f'<span class="mark" style="background:{plots.COLOURS[at % len(plots.COLOURS)]}"></span>'


def _digits(figure: Figure) -> int:
    return {MS: 1, FALSE: 2}.get(figure.key.measure, 3)


def _plain(figure: Figure) -> str:
    if figure.value is None:
        return "<td>–</td>"
    digits = _digits(figure)
    return f"<td>{figure.value:.{digits}f}{_interval(figure, digits)}</td>"


def _signed(figure: Figure) -> str:
    if figure.value is None:
        return "<td>–</td>"
    digits = _digits(figure)
    sure = figure.low is not None and figure.high is not None and not figure.low <= 0 <= figure.high
    text = f"{figure.value:+.{digits}f}".replace("-", "−")
    return f"<td{' class=sure' if sure else ''}>{text}{_interval(figure, digits)}</td>"


def _interval(figure: Figure, digits: int) -> str:
    if figure.low is None or figure.high is None:
        return ""
    between = " to " if figure.low < 0 else "–"
    ends = f"{figure.low:.{digits}f}{between}{figure.high:.{digits}f}".replace("-", "−")
    return f'<span class="of">{ends}</span>'


# --- plots -----------------------------------------------------------------------------------------------------------


def _plots(made: Evaluation) -> str:
    rows, names = made.rows, made.names
    if rows[0].sample.picture.size == 0:
        return ""
    drawings = [(plots.by_size(rows, names), "Recall by height of the face. Bars are 95 % intervals.")]
    if any(row.sample.found[IOUS[0]].score.size for row in rows):
        own = "The mark is the detector's own threshold; what scores lower was never told."
        drawings += [
            (
                plots.precision_recall(rows, names),
                f"Precision and recall of all judged faces at falling thresholds. {own}",
            ),
            (plots.false_recall(rows, names), f"What more recall costs in false positives. {own}"),
        ]
    words = plots.by_word(rows, names)
    if words:
        least = made.sizes[0]
        drawings.append(
            (words, f"Recall by what the data set says of the faces, from {least} px (how many in brackets).")
        )
    figures = "".join(f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in drawings)
    return f'<h2>Pictures of it</h2><div class="plots">{figures}</div>'


# --- misses ----------------------------------------------------------------------------------------------------------


def _misses(made: Evaluation, misses: Sequence[Miss], shots: Sequence[bytes] | None) -> str:
    if not misses:
        if not any((~truth.ignored).any() for truth in made.looked.truths):
            return ""
        return "<h2>The worst misses</h2><p>Every judged face was found by every detector.</p>"
    many = len(made.rows) > 1
    order = (
        "Those that most detectors missed come first, the largest before the smaller. "
        if many
        else "The largest first. "
    )
    shown = (
        f"{_line('ffd60a')} the labelled face, {_line('0ab4ff')} what {escape(made.names[0])} found nearby."
        if shots is not None
        else "Their pictures were left out."
    )
    figures = "".join(_figure(made, miss, shots[i] if shots is not None else None) for i, miss in enumerate(misses))
    return (
        f"<h2>The worst misses</h2><p>Faces that were not found even at an IoU of {min(IOUS)}. {order}{shown}</p>"
        f'<div class="misses">{figures}</div>'
    )


def _line(colour: str) -> str:
    return f'<span class="swatch" style="border-color:#{colour}"></span>'


def _figure(made: Evaluation, miss: Miss, shot: bytes | None) -> str:
    truth = made.looked.truths[miss.picture]
    told = [f"<b>{miss.size[0]:.0f} × {miss.size[1]:.0f} px</b>"]
    told += [escape(", ".join(miss.about))] if miss.about else []
    if len(made.rows) > 1:
        by = "every detector" if len(miss.by) == len(made.rows) else ", ".join(made.names[at] for at in miss.by)
        told.append(escape(f"missed by {by}"))
    if miss.best:
        taken = ", of another face" if miss.best >= min(IOUS) and 0 in miss.by else ""
        told.append(f"nearest detection: IoU {miss.best:.2f}{taken}")
    name = f'<span class="name" title="{escape(str(truth.path))}">{escape(truth.path.name)}</span>'
    if shot is None:
        picture = ""
    elif shot:
        code = base64.b64encode(shot).decode()
        picture = f'<div class="shot"><img alt="a missed face" src="data:image/jpeg;base64,{code}"></div>'
    else:
        picture = '<div class="shot"><span class="none">the picture could not be read again</span></div>'
    return f"<figure>{picture}<figcaption>{'<br>'.join(told)}{name}</figcaption></figure>"


# --- how it was measured ---------------------------------------------------------------------------------------------


def _method(made: Evaluation) -> str:
    about = made.about()
    data, settings = about["data"], about["settings"]
    parts = ", ".join(f"{part} {number}" for part, number in about["made"].items() if part not in ("machine", "at"))
    failed = "; ".join(f"{one['file']}: {one['reason']}" for one in data["failed"][:20])
    keys = {
        "data": f"{data['path']} ({data['format']})",
        "sha-256": data["sha256"],
        "detectors": " · ".join(
            row.spec if name == row.spec else f"{name} = {row.spec}"
            for name, row in zip(made.names, made.rows, strict=True)
        ),
        "intervals": f"{settings['intervals']}, seed {settings['seed']}",
        "time": settings["ms"],
        "made by": f"{parts}; {about['made']['machine']}; {about['made']['at']}",
        "command": made.command,
        "not measured": failed,
    }
    rows = "".join(f"<dt>{escape(key)}</dt><dd><code>{escape(text)}</code></dd>" for key, text in keys.items() if text)
    return f'<h2>How it was measured</h2><p>{_METHOD}</p><dl class="key">{rows}</dl>'
