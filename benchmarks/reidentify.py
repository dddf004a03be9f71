"""How often people are still named after each method: `faceveil evaluate privacy` on 79 people of LFW.

    faceveil models add mobilefacenet dlib-resnet
    python benchmarks/reidentify.py [--cache FOLDER] [--runs default again all]

Data: ../shared/data/recognition/identities, 79 people with 10 pictures each. Runs, each a whole process:

    default   the report as it is without options: eight methods, two recognisers, all attacks; timed
    again     the same from the cache of the first; timed
    all       every method and cover that docs/privacy.md tells of

What is written to benchmarks/results/reidentify.json holds nobody's name: of each condition the strongest of each kind
of attack with its 95 % interval, and the verdicts. The cache holds embeddings, which are personal data: without
--cache it is a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
from clips import FACEVEIL, RESULTS, ROOT

mpl.use("agg")

PEOPLE = ROOT.parent / "shared" / "data" / "recognition" / "identities"
TIGHT = "up=0,regular=no"
METHODS = {
    "mask": "mask",
    "noise 30 %": "noise:percent=30",
    "noise 50 %": "noise:percent=50",
    "noise 70 %": "noise:percent=70",
    "mosaic 16": "mosaic:cells=16",
    "mosaic 8": "mosaic:cells=8",
    "mosaic 4": "mosaic:cells=4",
    "mosaic 4, b=100": "mosaic:cells=4,b=100",
    "blur .08": "blur:sigma=0.08",
    "blur .25": "blur:sigma=0.25",
    "blur .4": "blur:sigma=0.4",
    "solid, box 1.0": f"solid@width=1,height=1,shape=box,{TIGHT}",
    "solid, box 1.3": f"solid@width=1.3,height=1.3,shape=box,{TIGHT}",
    "solid, ellipse 1.3": f"solid@width=1.3,height=1.3,shape=ellipse,{TIGHT}",
    "solid, exact": "solid@regular=no",
    "solid": "solid",
    "solid, ring": "solid:color=ring",
    "solid, head": "solid@head",
    "veil, exact": "veil@regular=no",
    "veil": "veil",
    "veil, head": "veil@head",
}
"""The conditions by the names that the docs use."""
KINDS = {
    "naive": ("naive", "face", ""),
    "reverse": ("reverse", "face", ""),
    "parrot": ("parrot", "face", ""),
    "retrained": ("retrained", "face", ""),
    "filtered": ("", "face", "any filter"),
    "wide": ("", "wide", ""),
    "place": ("geometry", "place", ""),
}
"""What is told of a condition: the beginning of the attack's kind, the field, whether after a filter."""
RUNS = ("default", "again", "all")


def evaluated(output: Path, cache: Path, methods: list[str]) -> tuple[dict[str, Any], float]:
    """What the command writes, and the seconds that it took."""
    command = [str(FACEVEIL), "evaluate", "privacy", str(PEOPLE), "-o", str(output), "--overwrite"]
    command += ["--cache", str(cache), *(part for method in methods for part in ("-m", method))]
    started = time.perf_counter()
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(f"the command ended with {done.returncode}: {' '.join(command)}")
    seconds = time.perf_counter() - started
    return json.loads((output / "result.json").read_text(encoding="utf-8")), seconds


def strongest(findings: list[dict[str, Any]], kind: str, field: str, after: str) -> dict[str, Any] | None:
    """The attack of one kind that names most people, over recognisers and over who finds the face."""
    mine = [
        one
        for one in findings
        if one["attack"]["kind"].startswith(kind)
        and one["attack"]["field"] == field
        and bool(one["attack"]["after"]) == bool(after)
        and one["rank1"]["value"] is not None
        and one["rank1"]["of"] >= max(other["rank1"]["of"] for other in findings) / 2
    ]
    if not mine:
        return None
    best = max(mine, key=lambda one: one["rank1"]["value"])
    return {"attack": told(best["attack"]), **rate(best["rank1"])}


def told(attack: dict[str, str]) -> str:
    after = f"after {attack['after']}" if attack["after"] else ""
    own = "own detector" if attack["box"] == "own" else ""
    return ", ".join(part for part in (attack["kind"], attack["recogniser"], own, after) if part)


def rate(value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in ("value", "low", "high")}


def condition(made: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a condition."""
    kinds = {name: strongest(made["findings"], *what) for name, what in KINDS.items()}
    verdicts = {
        one["scope"]: {"word": one["word"], "attacks": one["attacks"], "above": one["above"]}
        | ({"strongest": told(one["strongest"]), "rank1": rate(one["rank1"])} if one["strongest"] else {})
        for one in made["verdicts"]
    }
    return {"spec": made["spec"], "area": made["area"], "rank1": kinds, "verdicts": verdicts}


def originals(made: dict[str, Any]) -> dict[str, Any]:
    """How well each recogniser knows people on untouched pictures, and what the place of a face tells."""
    first = next(one for one in made["conditions"] if one["kind"] == "original")
    eers = {
        one["attack"]["recogniser"]: rate(one["verified"]["eer"])
        for one in first["compared"]
        if one["attack"]["kind"] == "parrot" and one["attack"]["box"] == "given" and one["attack"]["field"] == "face"
    }
    place = {
        one["attack"]["kind"]: rate(one["rank1"]) for one in first["findings"] if one["attack"]["field"] == "place"
    }
    return {"eer": eers, "place": place}


def draw(record: dict[str, Any], path: Path) -> None:
    """Rates with their intervals by condition, as a PNG."""
    import matplotlib.pyplot as plt  # noqa: PLC0415  (after the backend is chosen)

    rows = [(name, one["rank1"]) for name, one in record["conditions"].items()]
    figure, axes = plt.subplots(figsize=(9, 0.3 * len(rows) + 1.6), layout="constrained")
    for shift, (kind, colour) in enumerate((("parrot", "C0"), ("retrained", "C3"), ("wide", "C2"))):
        points = [(y, row[kind]) for y, (_, row) in enumerate(rows) if row[kind]]
        values = [max(one["value"], 0.003) * 100 for _, one in points]
        reach = [
            [max(0.0, v - max(one["low"], 0.003) * 100) for v, (_, one) in zip(values, points, strict=True)],
            [max(0.0, one["high"] * 100 - v) for v, (_, one) in zip(values, points, strict=True)],
        ]
        places = [y + 0.22 * (shift - 1) for y, _ in points]
        axes.errorbar(values, places, xerr=reach, fmt="o", ms=4, lw=1.2, color=colour, label=kind)
    axes.axvline(100 * record["chance"], color="0.4", ls="--", lw=1, label="chance")
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel("people named by the strongest attack of its kind, %, with 95 % intervals")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, 1.06), ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, help="keep embeddings here between runs; they are personal data")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS, help="others stay as they were measured")
    options = parser.parse_args()
    if not PEOPLE.is_dir():
        raise SystemExit(f"no pictures of people in {PEOPLE}: nothing is measured")
    path = RESULTS / "reidentify.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder) / "cache"
        for run in options.runs:
            made, seconds = evaluated(Path(folder) / run, cache, list(METHODS.values()) if run == "all" else [])
            print(f"{run}: {seconds:.0f} s", file=sys.stderr, flush=True)
            if run == "all":
                record |= summary(made)
            else:
                record.setdefault("seconds", {})[run] = round(seconds)
            path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(record, RESULTS / "reidentify.png")


def summary(made: dict[str, Any]) -> dict[str, Any]:
    """What is kept of the run with all methods."""
    found = {one["name"]: one for one in made["conditions"]}
    names = {"original": "original"} | {spec: name for name, spec in METHODS.items()} | {"blackout": "blackout"}
    apart = [
        {"a": names[one["name"]], "b": names[one["other"]], "attack": told(one["attack"])}
        | {"field": one["attack"]["field"], **rate(one["rank1"])}
        for one in made["differences"]
        if one["name"] in names and one["other"] in names
    ]
    return {
        "what": "rank-1 with the ends of its 95 % interval, fractions; the strongest attack of each kind",
        "command": "python benchmarks/reidentify.py",
        "made": {name: value for name, value in made["made"].items() if name != "at"},
        "data": {name: made[name] for name in ("people", "pictures", "folds")},
        "recognisers": list(made["recognisers"]),
        "chance": made["chance"],
        "originals": originals(made),
        "conditions": {name: condition(found[spec]) for spec, name in names.items()},
        "differences": apart,
    }


if __name__ == "__main__":
    main()
