"""What people read: one page that needs nothing else, with verdicts first, then what they rest on."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from faceveil.evaluate.privacy.attacks import ATTACKS
from faceveil.evaluate.privacy.evidence import ORIGINAL
from faceveil.evaluate.privacy.report import plots, tables
from faceveil.evaluate.privacy.report.result import Report
from faceveil.evaluate.report.shell import html

TITLE = "How often people are still named"
_SHOWS = "Personal data: it shows pictures of people. Keep it as you keep the pictures."
_METHOD = (
    "Each person's photos are split in random halves: one is known to the attacker, he is asked about the other, and "
    "then the halves change places; no photo is ever on both sides. Rank-1 is the share of pictures whose person comes "
    "first; where names tie, each has its part. Intervals are of 95 %: whole people are drawn anew, and where Wilson's "
    "interval for as many trials as pictures is wider, it counts. A verdict is on the attack whose interval begins "
    "highest; it is re-identifiable where an interval that holds for all attacks at once lies above chance and the "
    "rate above the blackout control's. A face that the attacker's own detector does not find is a failure to acquire "
    "(FTA); it is reported and never counted as privacy, because a box can be drawn by hand."
)


def page(report: Report) -> bytes:
    """The report as HTML."""
    return html(TITLE, "".join(_parts(report)), ("faceveil.evaluate.privacy.report", "page.css"))


def _parts(report: Report) -> Iterator[str]:
    made = report.privacy
    if report.samples:
        yield f'<p class="warn"><b>{_SHOWS}</b></p>'
    yield f"<h1>{TITLE}</h1>{_lead(report)}"
    yield "<h2>Verdicts</h2><p>Under the strongest of all attacks that were made, with its 95 % interval.</p>"
    yield tables.verdicts(made)
    yield _figures([(plots.strongest(made), "The strongest attack by what it looks at. Bars are 95 % intervals.")])
    if made.remarks:
        yield "<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in made.remarks) + "</ul>"
    yield _samples(report)
    yield from _rates(report)
    yield from _errors(report)
    yield from _rest(report)
    yield _method(report)


def _lead(report: Report) -> str:
    made = report.privacy
    counts = f"{made.people:,} people, {made.pictures:,} pictures of {made.photos:,} photos, {made.folds} folds"
    chance = f"chance {100 * made.chance:.2g} %" if made.folds else "pairs alone"
    return f'<p class="soft">{counts}; {chance}; recognisers: {escape(", ".join(made.recognisers))}</p>'


def _rates(report: Report) -> Iterator[str]:
    made = report.privacy
    if not made.folds:
        return
    yield (
        "<h2>Rank-1 by attack</h2><p>People named rightly, in percent. Where a column holds several attacks "
        "(recognisers, classifiers, filters), the one whose interval begins highest.</p>"
    )
    yield tables.rates(made)
    yield "<details><summary>Every attack on every condition</summary>"
    for one in made.conditions:
        yield f"<h3>{escape(one.name)}</h3>{tables.every(one)}"
    yield "</details>"
    words = "The right name among the first so many, by the strongest attack on the face field."
    yield _figures([(plots.cmc(made), words)])
    differences = tables.differences(made)
    if differences:
        yield (
            "<h2>More than solid tells</h2><p>Rank-1 less that of <code>solid</code> with the same cover, person by "
            "person, in points. Bold: the interval does not hold zero; of many, some do so by chance.</p>"
        )
        yield f"<details><summary>All attacks</summary>{differences}</details>"


def _errors(report: Report) -> Iterator[str]:
    made = report.privacy
    verification = tables.verification(made)
    if not verification:
        return
    yield (
        "<h2>False matches and false non-matches</h2><p>ISO/IEC 19795-1, in percent. <i>Picture</i>: each pair of "
        "different photos, where naive and reverse are the same. <i>Reference</i>: a picture and the mean of a "
        "person's known pictures. Curves are of references. Brown: fewer than 30 errors of one kind (rule of 30).</p>"
    )
    drawings = [
        (plots.det(made, group, name), f"{family}, {name}: detection error trade-off, axes of normal deviates.")
        for name in made.recognisers
        for family, group in plots.families(made.conditions)
    ]
    yield _figures(drawings)
    yield f"<details><summary>All comparisons</summary>{verification}</details>"
    words = "Distances of an original and a painted picture, of one person and of two. Dotted: the threshold."
    yield _figures([(plots.distances(made, name), f"{name}. {words}") for name in made.recognisers])
    confusions = tables.confusions(made)
    if confusions:
        yield f"<details><summary>How pairs are sorted at fixed thresholds</summary>{confusions}</details>"


def _rest(report: Report) -> Iterator[str]:
    linkage = tables.linkage(report.privacy)
    if linkage:
        chance = next(found.chance for one in report.privacy.conditions for found in one.linkage)
        yield (
            "<h2>The same photo</h2><p>How often the very photo that a picture was made from is found among all "
            f"originals, in percent; chance {100 * chance:.2g} %. What a cover leaves visible decides it, so it takes "
            "no part in the verdicts: who has the photo has the face.</p>"
        )
        yield linkage


def _figures(drawings: list[tuple[str, str]]) -> str:
    made = [f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in drawings if svg]
    return f'<div class="plots one">{"".join(made)}</div>' if made else ""


def _samples(report: Report) -> str:
    if not report.samples:
        return ""
    rows = []
    for one in report.samples:
        images = "".join(
            f'<td><img alt="" src="data:image/jpeg;base64,{_code(picture)}"></td>' for picture in one.pictures
        )
        rows.append(f"<tr><td>{escape(one.condition)}</td>{images}</tr>")
    what = "" if any(one.condition == ORIGINAL for one in report.samples) else " Originals are not shown."
    return (
        f"<h2>What attackers see</h2><p>The same people in each condition, aligned.{what}</p>"
        f'<div class="wide samples"><table><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _code(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _method(report: Report) -> str:
    about, made = report.about, report.privacy
    keys = {
        "attacks": "; ".join(f"{name}: {ATTACKS[name]}" for name in made.attacks),
        "data": "; ".join(f"{key} {value}" for key, value in about.data.items()),
        "recognisers": "; ".join(
            f"{name} ({', '.join(f'{key} {value}' for key, value in what.items())})"
            for name, what in about.recognisers.items()
        ),
        "settings": "; ".join(f"{key} {value}" for key, value in about.settings.items()),
        "intervals": f"95 %, {made.resamples} draws of people or Wilson's where wider; seed {made.seed}",
        "made by": "; ".join(f"{part} {number}" for part, number in about.made.items()),
        "time": f"{about.seconds:.0f} s" if about.seconds else "",
        "command": about.command,
    }
    rows = "".join(f"<dt>{escape(key)}</dt><dd><code>{escape(text)}</code></dd>" for key, text in keys.items() if text)
    return f'<h2>How it was measured</h2><p>{_METHOD}</p><dl class="key">{rows}</dl>'
