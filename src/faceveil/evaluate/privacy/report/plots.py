"""The plots of a privacy report, as SVG that stands in the page itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from faceveil.evaluate.privacy.attacks import FACE, GIVEN, NAIVE, PLACE, REVERSE, WIDE
from faceveil.evaluate.privacy.comparing import PICTURE, REFERENCE, Compared
from faceveil.evaluate.privacy.evidence import CONTROL, ORIGINAL
from faceveil.evaluate.privacy.findings import Condition, Privacy
from faceveil.evaluate.report.plots import COLOURS, MARKS, drawn, shown

_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)  # of axes of normal deviates
_LEAST = 0.003  # of a rate on an axis of decades
_PLAIN, _BLACK = "#222222", "#999999"  # the original and the control, in every plot
_SCOPES = ((FACE, "face field"), (WIDE, "wide field"), (PLACE, "place of the cover alone"))


def families(conditions: Sequence[Condition]) -> list[tuple[str, list[Condition]]]:
    """Methods that were measured in several strengths, each with its own; the others together."""
    groups: dict[str, list[Condition]] = {}
    for one in conditions:
        if one.name not in (ORIGINAL, CONTROL):
            groups.setdefault((one.spec or one.name).split(":")[0], []).append(one)
    several = [(name, group) for name, group in groups.items() if len(group) > 1]
    single = [one for group in groups.values() if len(group) == 1 for one in group]
    return several + ([("methods in one strength" if several else "all methods", single)] if single else [])


def strongest(made: Privacy) -> str:
    """Rank-1 of the strongest attack on each condition, by what it looks at; empty where nobody was named."""
    conditions = [one for one in made.conditions if one.verdicts and one.verdicts[0].rank1 is not None]
    if not conditions:
        return ""

    def draw(axes: Any) -> None:
        for j, (scope, label) in enumerate(_SCOPES):
            rows = [(y, verdict) for y, one in enumerate(conditions) if (verdict := one.verdict(scope)) is not None]
            rates = [(y, verdict.rank1) for y, verdict in rows if verdict.rank1 is not None]
            ends = np.array([[rate.value, rate.low, rate.high] for _, rate in rates], float).reshape(-1, 3)
            ends = np.maximum(ends, _LEAST)
            places = np.array([y for y, _ in rates]) + (j - 1) * 0.2
            reach = np.abs(ends[:, 1:] - ends[:, :1]).T
            axes.errorbar(
                ends[:, 0] * 100, places, xerr=reach * 100, fmt=MARKS[j], color=COLOURS[j], label=label, markersize=5
            )
        axes.axvline(100 * made.chance, color="#555555", linestyle="--", linewidth=1, label="chance")
        axes.set_xscale("log")
        ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if tick >= 100 * _LEAST]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set(xlim=(100 * _LEAST, 115), xlabel="people named rightly by the strongest attack, %")
        axes.set_yticks(range(len(conditions)), [shown(one.name) for one in conditions])
        axes.set_ylim(len(conditions) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, frameon=False, fontsize=9)

    return drawn((8.2, 1.1 + 0.42 * len(conditions)), draw)


def _compared(condition: Condition, kind: str, recogniser: str, against: str) -> Compared | None:
    for one in condition.compared:
        attack = one.attack
        if (attack.kind, attack.recogniser, attack.box, one.against) == (kind, recogniser, GIVEN, against):
            return one
    return None


def _styled(conditions: Sequence[Condition], group: Sequence[Condition]) -> list[tuple[Condition, dict[str, Any]]]:
    """A group between the original and the control, each with how its line looks: strengths from light to dark."""
    import matplotlib as mpl  # noqa: PLC0415  (0.5 s, wanted only for reports)

    ends = {one.name: one for one in conditions if one.name in (ORIGINAL, CONTROL)}
    ramp = mpl.colormaps["viridis"]
    made = []
    for i, one in enumerate(group):
        colour = COLOURS[i] if len(group) <= len(COLOURS) else ramp(0.05 + 0.85 * i / (len(group) - 1))
        made.append((one, {"color": colour, "linewidth": 1.5}))
    if ORIGINAL in ends:
        made.insert(0, (ends[ORIGINAL], {"color": _PLAIN, "linewidth": 1.5}))
    if CONTROL in ends:
        made.append((ends[CONTROL], {"color": _BLACK, "linewidth": 1.2, "linestyle": "--"}))
    return made


def det(made: Privacy, group: Sequence[Condition], recogniser: str) -> str:
    """Detection error trade-off of a group: naive beside reverse, on axes of normal deviates; empty without curves."""
    kinds = [kind for kind in (NAIVE, REVERSE) if any(_compared(one, kind, recogniser, REFERENCE) for one in group)]
    if not kinds:
        return ""

    def draw(axes: Any) -> None:
        for panel, kind in zip(np.atleast_1d(axes), kinds, strict=True):
            for one, style in _styled(made.conditions, group):
                found = _compared(one, kind, recogniser, REFERENCE)
                if found is not None and found.verified.det:
                    x, y = _deviates(found.verified.det)
                    panel.plot(x, y, label=shown(one.name), **style)
            _deviate_axes(panel)
            panel.set(xlabel="FMR, %", ylabel="FNMR, %", title=kind)
        np.atleast_1d(axes)[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)

    return drawn((4.1 * len(kinds) + 2.0, 3.9), draw, columns=len(kinds))


def _deviates(points: Sequence[tuple[float, float]]) -> tuple[Any, Any]:
    from scipy.special import ndtri  # noqa: PLC0415

    fmr, fnmr = np.clip(np.array(points).T, _TICKS[0] / 2, 1 - _TICKS[0] / 2)
    return ndtri(fmr), ndtri(fnmr)


def _deviate_axes(axes: Any) -> None:
    from scipy.special import ndtri  # noqa: PLC0415

    places, labels = ndtri(_TICKS), [f"{100 * tick:g}" for tick in _TICKS]
    axes.set_xticks(places, labels, fontsize=8)
    axes.set_yticks(places, labels, fontsize=8)
    ends = (places[0], places[-1])
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.plot(ends, ends, color="#bbbbbb", linewidth=0.8, zorder=0)


def cmc(made: Privacy) -> str:
    """The right name among the first so many, by the strongest attack on the face; empty where nobody was named."""
    lines = []
    for one in made.conditions:
        verdict = one.verdict(FACE)
        attack = verdict.strongest if verdict else None
        mine = [found for found in one.findings if found.attack == attack or (one.name == ORIGINAL and found.cmc)]
        if mine and mine[0].cmc:
            lines.append((one, mine[0].cmc))
    if not lines:
        return ""

    def draw(axes: Any) -> None:
        rest = [one for one, _ in lines if one.name not in (ORIGINAL, CONTROL)]
        styles = {one.name: style for one, style in _styled(made.conditions, rest)}
        for one, curve in lines:
            axes.plot(range(1, len(curve) + 1), 100 * np.array(curve), label=shown(one.name), **styles[one.name])
        axes.set(xlabel="names that are looked at", ylabel="right one among them, %", ylim=(0, 101))
        last = max(2, *(len(curve) for _, curve in lines))
        axes.set_xlim(1, last)
        axes.set_xticks([1, *range(5, last + 1, 5)])
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)

    return drawn((7.4, 3.8), draw)


def distances(made: Privacy, recogniser: str) -> str:
    """How far apart originals and painted pictures are, of one person and of two, one row for each condition."""
    rows = [
        (one, found)
        for one in made.conditions
        if (found := _compared(one, NAIVE, recogniser, PICTURE)) is not None and found.verified.mated
    ]
    if not rows:
        return ""

    def draw(axes: Any) -> None:
        for i, (panel, (one, found)) in enumerate(zip(np.ravel(axes), rows, strict=False)):
            edges = np.array(found.edges)
            for counts, colour, label in (
                (found.mated, COLOURS[0], "one person"),
                (found.nonmated, COLOURS[1], "two people"),
            ):
                share = np.array(counts) / max(1, sum(counts))
                panel.stairs(share, edges, fill=True, color=colour, alpha=0.45, label=label)
            panel.axvline(found.confusions[0].distance, color="#555555", linewidth=1, linestyle=":") if (
                found.confusions
            ) else None
            panel.set_title(shown(one.name), fontsize=9)
            panel.set_yticks([])
            panel.grid(visible=False)
            if i == 0:
                panel.legend(frameon=False, fontsize=8)
        for panel in np.ravel(axes)[len(rows) :]:
            panel.set_visible(False)

    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    return drawn((3.2 * columns, 0.3 + 1.75 * lines), draw, rows=lines, columns=columns)
