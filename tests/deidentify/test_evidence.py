"""What methods say of themselves is what was measured last."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from faceveil.deidentify.paint import method

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "reidentify.json"
SAID = {  # by method: the condition and the kind of attack that its sentence tells of
    "mask": ("mask", "retrained"),
    "blur": ("blur .4", "retrained"),
    "mosaic": ("mosaic 4", "retrained"),
    "noise": ("noise 50 %", "filtered"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_cosmetic_method_tells_its_measured_rate(name: str) -> None:
    condition, kind = SAID[name]
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))["conditions"][condition]["rank1"][kind]
    found = re.search(r"([\d.]+) % \[([\d.]+), ([\d.]+)\] of 79 people", method(name).claim)
    assert found is not None
    for text, key in zip(found.groups(), ("value", "low", "high"), strict=True):
        digits = len(text.partition(".")[2])
        assert abs(float(text) - 100 * measured[key]) <= 0.51 / 10**digits
    assert method(name).promise == "cosmetic"
