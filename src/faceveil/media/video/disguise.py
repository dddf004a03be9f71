"""A disguise for voices: pitch and formants moved by factors that are drawn for each file.

This is a disguise, not anonymity. Words, accent, rhythm and what is said stay; who knows the voice well may still
know it, and who studies the method may undo much of it: factors are drawn from narrow ranges, and can be tried one
after the other. A fixed factor would be undone by its inverse, hence they differ from file to file, and the formants
drift while the voice speaks, so that no single factor undoes them. Where a voice must not be known, drop the sound.

Pitch: everything is stretched in time without a change of pitch (WSOLA), then played as much faster. FFmpeg's `atempo`
would do it too, but moved clicks by up to 26 ms; this moved none of 480 by more than 8. Formants move with the pitch at
first; the spectral envelope (the cepstrum's first 1.5 ms) is then warped to where they shall be.
The output is mono: two channels would tell where the speaker stands, and their difference often holds one voice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from faceveil.errors import UnreadableError
from faceveil.media import run_key

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

    Wave = NDArray[np.float32]

RATE = 48_000
"""Samples a second of what comes out: AAC and Opus both take it."""
_FRAME = 1024  # samples of a frame that comes out, as AAC wants them
_PITCH = ((0.74, 0.85), (1.18, 1.34))
"""Down by 3 to 5 semitones, or up by as many: less is heard through, more is hard to understand."""
_FORMANTS = ((0.82, 0.91), (1.10, 1.22))
"""Vocal tracts of adults differ by some 20 % in length."""
_DRIFT, _DRIFT_STEP = 0.04, 0.012  # most that formants drift to either side, and by how much in a block of 0.68 s
_STEP, _SEARCH = RATE // 50, RATE // 140  # 20 ms between pieces; 7 ms to either side find a period of 70 Hz
_WINDOW, _HOP, _BLOCK = 2048, 512, 64
_LIFTER = 72  # samples of the cepstrum, 1.5 ms: the envelope, and nothing of a pitch below 660 Hz
_LOUDER = 2.0  # most by which the warp changes a frequency, in nepers (17 dB)
_SLACK = RATE // 50  # 20 ms by which sound may stand elsewhere than its times say, before it is moved
_LONGEST_GAP = 6 * 3600 * RATE


@dataclass(frozen=True, slots=True)
class Voice:
    """How a voice is changed. pitch, formants: factors. seed: of the drift."""

    pitch: float
    formants: float
    seed: int

    @classmethod
    def drawn(cls, key: bytes) -> Voice:
        """Factors and direction from a key, all ways alike."""
        rng = np.random.default_rng(int.from_bytes(key))
        way = int(rng.integers(2))
        return cls(float(rng.uniform(*_PITCH[way])), float(rng.uniform(*_FORMANTS[way])), int(rng.integers(1 << 32)))


def disguised(path: Path, stream: int) -> Iterator[av.AudioFrame]:
    """The sound of one track with its voices disguised.

    Frames are mono, float planar, 48 kHz, of 1024 samples (the last has fewer); times are in 1/48000 s, start where
    the track starts and have no gaps: silence stands where the track has none. The whole is as long as the track,
    and no sound moves by more than 20 ms. All tracks of a file are changed by the same factors, drawn anew in each run.

    Args:
        path: a video or sound file.
        stream: index of the track among all streams of the file.

    Raises:
        UnreadableError: the file or the track cannot be read, or the track is no sound.
    """
    voice = Voice.drawn(run_key.digest(f"voice {path.absolute()}"))
    return changed(path, stream, voice)


def changed(path: Path, stream: int, voice: Voice) -> Iterator[av.AudioFrame]:
    """As `disguised`, with factors that are given."""
    source = _Source(path, stream)
    wave = _warped(_shifted(iter(source), voice.pitch), voice)
    yield from _framed(wave, source)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Source:
    """A track of sound as pieces of one wave: mono, 48 kHz. start: its first sample's time. count: samples so far."""

    path: Path
    stream: int
    start: Fraction = Fraction(0)
    count: int = 0
    resampler: Any = None
    kind: tuple[object, ...] = ()

    def __iter__(self) -> Iterator[Wave]:
        import av  # noqa: PLC0415  (loads FFmpeg)

        try:
            with av.open(str(self.path), metadata_errors="replace") as container:
                track = container.streams[self.stream] if self.stream < len(container.streams) else None
                if track is None or track.type != "audio":
                    raise UnreadableError(f"{self.path} has no sound in stream {self.stream}")
                for frame in container.decode(track):
                    yield from self._placed(cast("av.AudioFrame", frame))
                yield from self._resampled(None)
        except (av.FFmpegError, OSError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise UnreadableError(f"{self.path}: its sound cannot be read: {reason}") from None

    def _placed(self, frame: av.AudioFrame) -> Iterator[Wave]:
        """A frame's samples at the place that its time says: silence before them, or some of them left out."""
        time = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else None
        if not self.count and time is not None:
            self.start = time
        late = 0 if time is None else round((time - self.start) * RATE) - self.count
        if late > _LONGEST_GAP:
            raise UnreadableError(f"{self.path}: its sound has a gap of {late / RATE / 3600:.0f} hours")
        while late > _SLACK:
            silence = np.zeros(min(late, RATE), np.float32)
            late -= len(silence)
            self.count += len(silence)
            yield silence
        for wave in self._resampled(frame):
            yield wave[-late:] if late < -_SLACK else wave
            late = 0 if late < -_SLACK else late

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[Wave]:
        """A frame's samples, mono and at 48 kHz; those that are still held, without a frame."""
        import av  # noqa: PLC0415

        kind = () if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        held = self.resampler.resample(None) if self.resampler is not None and kind != self.kind else []
        if kind != self.kind:
            self.resampler, self.kind = av.AudioResampler("flt", "mono", RATE), kind
        if frame is not None:
            frame.pts = None  # or the resampler would fill gaps in its own way
            held += self.resampler.resample(frame)
        for part in held:
            wave = part.to_ndarray()[0].astype(np.float32)
            self.count += len(wave)
            yield wave


# --- pitch ------------------------------------------------------------------------------------------------------------


def _shifted(waves: Iterator[Wave], factor: float) -> Iterator[Wave]:
    """Pitch and formants moved by a factor: stretched without a change of pitch, then played as much faster."""
    import av  # noqa: PLC0415

    faster = round(RATE * factor)
    resampler, at = av.AudioResampler("flt", "mono", RATE), 0
    for wave in _stretched(waves, faster / RATE):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None]), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = faster, at, Fraction(1, faster)
        at += len(wave)
        yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
    yield from (part.to_ndarray()[0] for part in resampler.resample(None))


def _stretched(waves: Iterator[Wave], factor: float) -> Iterator[Wave]:
    """The wave made longer by a factor, or shorter, at the same pitch (WSOLA: Verhelst and Roelands, ICASSP 1993).

    Pieces are taken from where they belong, give or take what lets each continue the one before.
    """
    window = np.hanning(2 * _STEP + 1)[:-1].astype(np.float32)
    held = np.zeros(4 * _STEP, np.float32)
    base, number, before = -len(held), -1, None
    tail = np.zeros(_STEP, np.float32)
    for wave in _with_end(waves, 6 * _STEP):
        held = np.concatenate([held, wave])
        while True:
            place = round((number + 1) * _STEP / factor) - _STEP  # middles belong together
            ends = max(place + _SEARCH, place if before is None else before + _STEP) + 2 * _STEP
            if ends > base + len(held):
                break
            if before is not None:
                wanted = held[before + _STEP - base :][: 2 * _STEP]
                place += _alike(held[place - _SEARCH - base :][: 2 * (_STEP + _SEARCH)], wanted)
            piece = held[place - base :][: 2 * _STEP] * window
            if number >= 0:
                yield tail + piece[:_STEP]
            tail, before, number = piece[_STEP:], place, number + 1
            unused = min(before + _STEP, round((number + 1) * _STEP / factor) - _STEP - _SEARCH)
            held, base = held[unused - base :], unused


def _alike(around: Wave, wanted: Wave) -> int:
    """By how many samples the piece most like `wanted` lies beside the middle; the nearer one of two as good."""
    likeness = np.correlate(around, wanted, "valid")
    sums = np.concatenate([np.zeros(1), np.cumsum(np.square(around, dtype=np.float64))])
    norm = np.sqrt((sums[len(wanted) :] - sums[: -len(wanted)]).clip(0) * np.square(wanted, dtype=np.float64).sum())
    away = np.abs(np.arange(len(likeness)) - _SEARCH) / _SEARCH
    return int(np.argmax(likeness / (norm + 1e-6) - 0.05 * away)) - _SEARCH


# --- formants ---------------------------------------------------------------------------------------------------------


def _warped(waves: Iterator[Wave], voice: Voice) -> Iterator[Wave]:
    """The spectral envelope stretched so that formants end where the voice's factor says. Nothing moves in time."""
    rng = np.random.default_rng(voice.seed)
    drift, step = 0.0, _HOP * _BLOCK
    pad = np.zeros(_WINDOW - _HOP, np.float32)
    held, tail, skip = pad, np.zeros(_WINDOW - _HOP, np.float32), len(pad)
    for wave in _with_end(waves, step + 2 * _WINDOW):
        held = np.concatenate([held, wave])
        while len(held) >= step + _WINDOW - _HOP:
            drift = float(np.clip(drift + rng.uniform(-_DRIFT_STEP, _DRIFT_STEP), -_DRIFT, _DRIFT))
            made = _block(held[: step + _WINDOW - _HOP], voice.formants / voice.pitch * (1 + drift))
            made[: len(tail)] += tail
            tail, held = made[step:], held[step:]
            done = made[skip:step]
            skip = 0
            yield done


def _with_end(waves: Iterator[Wave], samples: int) -> Iterator[Wave]:
    """The wave and as much silence as brings its last sample out."""
    yield from waves
    yield np.zeros(samples, np.float32)


def _block(wave: Wave, factor: float) -> Wave:
    """Windows of a block, each with its envelope stretched by a factor, added where they overlap."""
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1]).astype(np.float32)
    parts = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::_HOP] * window
    spectra = np.fft.rfft(parts, axis=1)
    logs = np.log(np.abs(spectra) + 1e-6)
    cepstra = np.fft.irfft(logs, axis=1)
    cepstra[:, _LIFTER : _WINDOW - _LIFTER + 1] = 0
    envelopes = np.fft.rfft(cepstra, axis=1).real
    place = np.minimum(np.arange(_WINDOW // 2 + 1) / factor, _WINDOW // 2 - 1e-3)
    below, part = place.astype(int), place - place.astype(int)
    stretched = envelopes[:, below] * (1 - part) + envelopes[:, below + 1] * part
    spectra *= np.exp(np.clip(stretched - envelopes, -_LOUDER, _LOUDER))
    parts = np.fft.irfft(spectra, axis=1) * window * (2 * _HOP / _WINDOW)
    made = np.zeros(len(wave), np.float32)
    for i, part_i in enumerate(parts):
        made[i * _HOP : i * _HOP + _WINDOW] += part_i
    return made


# --- frames -----------------------------------------------------------------------------------------------------------


def _framed(waves: Iterator[Wave], source: _Source) -> Iterator[av.AudioFrame]:
    """Frames of 1024 samples with their times; as many samples as the source had."""
    held, at = np.zeros(0, np.float32), 0
    for wave in waves:
        held = np.concatenate([held, wave])
        while len(held) >= _FRAME and at + _FRAME <= source.count:
            yield _frame(held[:_FRAME], at, source.start)
            held, at = held[_FRAME:], at + _FRAME
    rest = np.concatenate([held, np.zeros(_FRAME, np.float32)])[: source.count - at]
    if len(rest):
        yield _frame(rest, at, source.start)


def _frame(wave: Wave, at: int, start: Fraction) -> av.AudioFrame:
    import av  # noqa: PLC0415

    samples = np.ascontiguousarray(np.clip(wave, -1, 1)[None], np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
    frame.pts = math.floor(start * RATE + Fraction(1, 2)) + at
    return frame
