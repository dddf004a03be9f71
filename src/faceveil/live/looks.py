"""How live pictures are looked at: every frame when it comes, as a whole."""

from __future__ import annotations

from faceveil import detect
from faceveil.detect.runtime import Runtime
from faceveil.pipeline import detector_of
from faceveil.pipeline.watch import LOWEST, Looks, beside_faces
from faceveil.policy import Policy
from faceveil.types import FACE

TURN = 8
"""Frames from one thorough look to the next with `balanced`. Files are looked at closely between two such looks, which
holds frames back until the second; a live frame cannot wait for that, so every frame gets a quick look (14 ms at 640 px
on one core of an EPYC) and every eighth one of 1280 px (64 ms). Faces that only these find are bridged by the tracker:
at 25 frames a second 0.32 s lie between two, less than the delay."""


def looks_of(policy: Policy, threads: int) -> Looks:
    """What a policy asks for. A detector of the user's own, and `thorough`, look at every frame in full.

    What is to be covered beside faces is looked for in every frame too.
    """
    detector = detector_of(policy, threads)  # checks what the policy needs, too
    every = policy.every or 1
    if policy.detector is not None or policy.preset == "thorough" or FACE not in policy.cover:
        return Looks(((detector, 0),), every=every)

    def look(size: int) -> tuple[detect.base.Detector, int]:
        spec = f"centerface:size={size},score_threshold={LOWEST}"
        return detect.build(policy.preset, spec, Runtime(policy.provider, threads)), size

    whole = (look(640),) if policy.preset == "fast" else (look(1280), *[look(640)] * (TURN - 1))
    return Looks(whole, beside=beside_faces(policy, threads), every=every)
