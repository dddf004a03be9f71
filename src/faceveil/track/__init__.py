"""Frames to tracks: which detections are one face, and where each face is in the frames that do not show it."""

from faceveil.track.cuts import Cuts
from faceveil.track.settings import Tracking
from faceveil.track.steady import Steady
from faceveil.track.tracker import Settled, Tracker

__all__ = ["Cuts", "Settled", "Steady", "Tracker", "Tracking"]
