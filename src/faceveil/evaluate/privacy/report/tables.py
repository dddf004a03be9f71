"""The tables of a privacy report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from faceveil.evaluate.privacy.attacks import (
    EMBEDDINGS,
    FACE,
    FUSED,
    GIVEN,
    NAIVE,
    NETWORK,
    OWN,
    PARROT,
    PIXELS,
    PLACE,
    REVERSE,
    WIDE,
    Attack,
)
from faceveil.evaluate.privacy.findings import Condition, Finding, Privacy
from faceveil.evaluate.privacy.measures import Rate
from faceveil.evaluate.privacy.verdict import ALL, Verdict

_TRAINED = (EMBEDDINGS, PIXELS, FUSED, NETWORK)
Chosen = Callable[[Attack], bool]


def _plainly(kind: str, field: str) -> Chosen:
    return lambda one: (one.kind, one.field, one.box, one.after) == (kind, field, GIVEN, "")


def _trained(field: str) -> Chosen:
    return lambda one: one.kind in _TRAINED and (one.field, one.box, one.after) == (field, GIVEN, "")


COLUMNS: tuple[tuple[str, Chosen], ...] = (
    ("naive", _plainly(NAIVE, FACE)),
    ("reverse", _plainly(REVERSE, FACE)),
    ("parrot", _plainly(PARROT, FACE)),
    ("retrained", _trained(FACE)),
    ("after a filter<br>or averaging", lambda one: bool(one.after)),
    ("own<br>detector", lambda one: one.box == OWN),
    ("retrained,<br>wide field", _trained(WIDE)),
    ("place of the<br>cover alone", lambda one: one.field == PLACE),
)
"""What stands above a column of the table of rates, and which attacks it is the strongest of."""


def rate(one: Rate | None, digits: int = 1, *, signed: bool = False) -> str:
    """A cell in percent, with its interval below."""
    if one is None or one.value is None:
        return "<td>–</td>"
    sign = "+" if signed else ""
    text = f"{100 * one.value:{sign}.{digits}f}"
    if one.low is None or one.high is None:
        return f"<td>{_minus(text)}</td>"
    between = " to " if one.low < 0 else "–"
    ends = f"{100 * one.low:.{digits}f}{between}{100 * one.high:.{digits}f}"
    sure = signed and not one.low <= 0 <= one.high
    return f'<td{" class=sure" if sure else ""}>{_minus(text)}<span class="of">{_minus(ends)}</span></td>'


def _minus(text: str) -> str:
    return text.replace("-", "−")


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    """A table that scrolls where it is too wide. rows: their cells."""
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _name(one: Condition) -> str:
    spec = f'<span class="of">{escape(one.spec)}</span>' if one.spec and one.spec != one.name else ""
    return f"<td>{escape(one.name)}{spec}</td>"


def verdicts(made: Privacy) -> str:
    """What each condition comes to, under all attacks and by what they look at."""
    rows = []
    for one in made.conditions:
        if one.verdicts:
            cells = [_verdict(one.verdict(scope)) for scope in (ALL, FACE, WIDE, PLACE)]
            rows.append(_name(one) + "".join(cells))
    head = ("", "all attacks", "face field", "wide field", "place of the cover")
    return table(head, rows).replace("<th>", '<th class="verdict">')


def _verdict(one: Verdict | None) -> str:
    if one is None or one.rank1 is None or one.strongest is None:
        return '<td class="none">not measured</td>'
    kind = "bad" if one.word == "re-identifiable" else "good"
    value = one.rank1.value or 0.0
    ends = (
        f" [{100 * (one.rank1.low or 0):.1f}, {100 * (one.rank1.high or 0):.1f}]" if one.rank1.low is not None else ""
    )
    told = f"{escape(one.strongest.label)}; strongest of {one.attacks}"
    if one.word == "at chance":
        told += f", at most {100 * (one.bounds or (0, 0))[1]:.1f} % for all at once"
        told += f"; {one.above} above chance alone" if one.above else ""
    return (
        f'<td class="verdict"><span class="{kind}">{one.word}</span> <b>{100 * value:.1f} %{ends}</b>'
        f'<span class="of">{told}</span></td>'
    )


def rates(made: Privacy) -> str:
    """Rank-1 of each condition by attack; of several attacks in one column the strongest."""
    used = [
        (title, chosen)
        for title, chosen in COLUMNS
        if any(
            chosen(found.attack) and found.rank1.value is not None for one in made.conditions for found in one.findings
        )
    ]
    rows = [
        _name(one) + "".join(rate(_best([f for f in one.findings if chosen(f.attack)])) for _, chosen in used)
        for one in made.conditions
    ]
    return table(("", *(title for title, _ in used)), rows)


def _best(found: Sequence[Finding]) -> Rate | None:
    """The rate whose interval begins highest."""
    known = [one.rank1 for one in found if one.rank1.value is not None]
    return max(known, key=lambda one: (one.low or 0.0, one.value or 0.0), default=None)


def every(one: Condition) -> str:
    """All attacks on one condition."""
    rows = [
        f"<td>{escape(found.attack.label)}</td>{rate(found.rank1)}{rate(found.rank5)}"
        f"{rate(found.above_control, signed=True)}{rate(found.failed)}<td>{found.rank1.of}</td>"
        for found in sorted(one.findings, key=lambda found: -(found.rank1.low or 0))
    ]
    return table(("attack", "rank-1", "rank-5", "above the<br>control", "FTA", "pictures"), rows)


def verification(made: Privacy) -> str:
    """EER and FNMR of each condition and recogniser."""
    rows = []
    for one in made.conditions:
        for found in one.compared:
            attack, result = found.attack, found.verified
            points = "".join(_point(point.fnmr, firm=point.firm) for point in result.points)
            last = result.points[0]
            generalised = "–" if last.generalised is None else f"{100 * last.generalised:.1f}"
            rows.append(
                f"{_name(one)}<td>{escape(attack.recogniser)}{', own detector' if attack.box == OWN else ''}</td>"
                f"<td>{attack.kind}, {found.against}</td>{rate(result.eer)}{points}<td>{100 * result.failed:.1f}</td>"
                f"<td>{generalised}</td><td>{result.mated:,}</td><td>{result.nonmated:,}</td>"
            )
    head = ("", "recogniser", "compared with", "EER")
    fmrs = [point.fmr for point in made.conditions[0].compared[0].verified.points] if rows else []
    fmr = tuple(f"FNMR at<br>FMR {100 * value:g} %" for value in fmrs)
    least = f"{100 * fmrs[0]:g} %" if fmrs else ""
    tail = ("not<br>acquired", f"generalised FNMR<br>at FMR {least}", "mated", "non-mated")
    return table((*head, *fmr, *tail), rows) if rows else ""


def _point(one: Rate, *, firm: bool) -> str:
    cell = rate(one)
    return cell if firm or one.value is None else cell.replace("<td>", '<td class="weak">', 1)


def confusions(made: Privacy) -> str:
    """How pairs of pictures are sorted at fixed thresholds."""
    rows = list(_confused(made))
    head = (
        "", "recogniser", "compared", "distance below which<br>two are one person", "one person:<br>matched",
        "one person:<br>missed", "two people:<br>matched", "two people:<br>told apart",
    )  # fmt: skip
    return table(head, rows) if rows else ""


def _confused(made: Privacy) -> Iterator[str]:
    for one in made.conditions:
        for found in one.compared:
            for sorted_ in found.confusions:
                if sorted_.mated.value is None and sorted_.nonmated.value is None:
                    continue
                attack = found.attack
                yield (
                    f"{_name(one)}<td>{escape(attack.recogniser)}{', own detector' if attack.box == OWN else ''}</td>"
                    f"<td>{attack.kind}</td>"
                    f'<td>{sorted_.distance:.3f}<span class="of">{escape(sorted_.why)}</span></td>'
                    f"{rate(sorted_.mated)}{rate(_rest(sorted_.mated))}{rate(sorted_.nonmated)}"
                    f"{rate(_rest(sorted_.nonmated))}"
                )


def _rest(one: Rate) -> Rate:
    if one.value is None or one.low is None or one.high is None:
        return one
    return Rate(1 - one.value, 1 - one.high, 1 - one.low, one.of)


def linkage(made: Privacy) -> str:
    """How often the photo that a picture was made from is found among all originals."""
    linked = [one for one in made.conditions if one.linkage]
    attacks = list(dict.fromkeys(found.attack for one in linked for found in one.linkage))
    rows = []
    for one in linked:
        found = {made.attack: made for made in one.linkage}
        rows.append(_name(one) + "".join(rate(found[attack].rank1 if attack in found else None) for attack in attacks))
    head = [
        f"{'wide field' if one.field == WIDE else 'face'}<br>{escape(one.recogniser) or 'pixels'}" for one in attacks
    ]
    return table(("", *head), rows) if rows else ""


def differences(made: Privacy) -> str:
    """How much more often people are named than behind `solid` with the same cover."""
    rows = [
        f"<td>{escape(one.name)}</td><td>{escape(one.other)}</td><td>{escape(one.attack.label)}</td>"
        f"{rate(one.rank1, signed=True)}"
        for one in made.differences
    ]
    return table(("", "less", "attack", "points of rank-1"), rows) if rows else ""
