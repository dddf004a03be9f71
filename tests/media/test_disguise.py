"""Voices come out with another pitch and other formants, where and as long as they were."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from faceveil.errors import UnreadableError
from faceveil.media import run_key
from faceveil.media.video.disguise import RATE, Voice, changed, disguised

VOICES = [Voice(0.76, 0.84, 1), Voice(0.84, 0.9, 2), Voice(1.2, 1.12, 3), Voice(1.33, 1.21, 4)]
PITCH, FORMANTS = 120.0, (700.0, 1220.0, 2600.0)


def _vowel(seconds: float, rate: int = RATE) -> np.ndarray:
    """A steady vowel: harmonics of 120 Hz under three formants of 120 Hz width."""
    time = np.arange(int(seconds * rate)) / rate
    tones = np.arange(1, int(5000 / PITCH)) * PITCH
    loud = np.sum([1 / (1 + ((tones - formant) / 120) ** 2) for formant in FORMANTS], axis=0)
    wave = sum(a * np.sin(2 * np.pi * f * time + i) for i, (f, a) in enumerate(zip(tones, loud, strict=True)))
    return np.asarray(0.5 * wave / np.abs(wave).max(), np.float32)


def _clicks(seconds: int, every: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of noise of 20 ms in silence, and where their middles are, in seconds."""
    rng = np.random.default_rng(3)
    wave = np.zeros(seconds * RATE, np.float32)
    places = np.arange(0.25, seconds, every)
    for place in places:
        at = int(place * RATE) - 480
        wave[at : at + 960] = rng.normal(0, 0.2, 960) * np.hanning(960)
    return wave, places


def _saved(
    path: Path,
    wave: np.ndarray,
    *,
    rate: int = RATE,
    codec: str = "flac",
    start: int = 0,
    gap: tuple[int, int] = (0, 0),
) -> Path:
    """A Matroska file of one track; left and right are the same. gap: (sample, samples): later sound moves."""
    both = np.stack([wave, wave], axis=1).reshape(1, -1)
    with av.open(str(path), "w", format="matroska") as container:
        track: Any = container.add_stream(codec, rate=rate, layout="stereo")
        track.codec_context.format = "s16"
        step = 1152
        for at in range(0, len(wave), step):
            part = np.ascontiguousarray((both[:, 2 * at : 2 * (at + step)] * 32767).astype(np.int16))
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = at + start + (gap[1] if at >= gap[0] else 0)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def _heard(frames: list[av.AudioFrame]) -> np.ndarray:
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def _spectrum(wave: np.ndarray) -> np.ndarray:
    """Power of each Hz up to 5 kHz, over the middle second."""
    middle = wave[len(wave) // 2 - RATE // 2 :][:RATE] * np.hanning(RATE)
    return np.asarray(np.abs(np.fft.rfft(middle))[:5000] ** 2)


def _pitch(wave: np.ndarray) -> float:
    """The spacing of the harmonics, in Hz: the first peak of the autocorrelation between 60 and 400 Hz."""
    middle = wave[len(wave) // 2 :][:RATE]
    power = np.abs(np.fft.rfft(middle, 2 * RATE)) ** 2
    correlation = np.fft.irfft(power)
    low, high = RATE // 400, RATE // 60
    return RATE / (low + int(np.argmax(correlation[low:high])))


def _formants(wave: np.ndarray, near: list[float]) -> list[float]:
    """The centre of power within 22 % of each place, where a formant is expected."""
    power = _spectrum(wave)
    hertz = np.arange(len(power))
    found = []
    for place in near:
        mask = np.abs(hertz - place) < 0.22 * place
        found.append(float((hertz * power)[mask].sum() / power[mask].sum()))
    return found


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: f"{voice.pitch:g}")
def test_pitch_and_formants_move_by_their_factors(voice: Voice, tmp_path: Path) -> None:
    source = _saved(tmp_path / "a.mkv", _vowel(4))
    heard = _heard(list(changed(source, 0, voice)))
    assert _pitch(heard) == pytest.approx(PITCH * voice.pitch, rel=0.02)
    wanted = [formant * voice.formants for formant in FORMANTS]
    assert _formants(heard, wanted) == pytest.approx(wanted, rel=0.08)
    power = _spectrum(heard)
    moved, still = (power[int(f * 0.96) : int(f * 1.04)].max() for f in (wanted[2], FORMANTS[2]))
    assert moved > 2 * still  # the third formant is gone from where it was


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: f"{voice.pitch:g}")
def test_sound_stays_where_it_was(voice: Voice, tmp_path: Path) -> None:
    wave, places = _clicks(30)
    frames = list(changed(_saved(tmp_path / "a.mkv", wave), 0, voice))
    heard = _heard(frames)
    assert len(heard) == len(wave)
    power = heard.astype(np.float64) ** 2
    for place in places:
        near = np.arange(int((place - 0.2) * RATE), int((place + 0.2) * RATE))
        centre = (near * power[near]).sum() / power[near].sum() / RATE
        assert abs(centre - place) < 0.012, f"{place} s: {1000 * (centre - place):.1f} ms"


@pytest.mark.parametrize(
    ("rate", "codec"), [(44_100, "flac"), (16_000, "flac"), (8_000, "pcm_s16le"), (48_000, "libopus")]
)
def test_any_rate_becomes_one_of_the_same_duration(rate: int, codec: str, tmp_path: Path) -> None:
    source = _saved(tmp_path / "a.mkv", _vowel(3, rate), rate=rate, codec=codec)
    frames = list(disguised(source, 0))
    assert sum(frame.samples for frame in frames) == pytest.approx(3 * RATE, abs=0.02 * RATE)
    assert {frame.sample_rate for frame in frames} == {RATE}
    assert {frame.layout.name for frame in frames} == {"mono"}
    assert {frame.format.name for frame in frames} == {"fltp"}


def test_times_start_where_the_track_starts_and_have_no_gaps(tmp_path: Path) -> None:
    source = _saved(tmp_path / "a.mkv", _vowel(2), start=RATE // 2)
    frames = list(disguised(source, 0))
    assert frames[0].pts is not None
    assert abs(frames[0].pts - RATE // 2) <= RATE // 1000  # Matroska counts in milliseconds
    for before, after in pairwise(frames):
        assert before.pts is not None
        assert after.pts == before.pts + before.samples
    assert {frame.samples for frame in frames[:-1]} == {1024}


def test_a_gap_becomes_silence(tmp_path: Path) -> None:
    wave, _ = _clicks(4)
    source = _saved(tmp_path / "a.mkv", wave, gap=(1152 * 40, RATE))  # from 0.96 s on, everything is a second late
    heard = _heard(list(changed(source, 0, VOICES[2])))
    assert len(heard) == pytest.approx(5 * RATE, abs=0.02 * RATE)
    assert np.abs(heard[int(1.0 * RATE) : int(1.9 * RATE)]).max() < 0.01
    near = heard[int(2.05 * RATE) : int(2.45 * RATE)].astype(np.float64) ** 2  # the click of 1.25 s
    assert abs((np.arange(len(near)) * near).sum() / near.sum() / RATE - 0.2) < 0.02


def test_factors_differ_between_files_and_runs_and_go_both_ways(tmp_path: Path) -> None:
    drawn = [Voice.drawn(run_key.digest(str(i))) for i in range(200)]
    assert len({voice.pitch for voice in drawn}) == 200
    for voice in drawn:
        assert 0.05 < abs(np.log(voice.formants)) < abs(np.log(voice.pitch)) + 0.1
        assert (voice.pitch < 1) == (voice.formants < 1)
    assert 60 < sum(voice.pitch > 1 for voice in drawn) < 140
    source = _saved(tmp_path / "a.mkv", _vowel(1))
    once, again = (_heard(list(disguised(source, 0))) for _ in range(2))
    assert (once == again).all()  # within a run, so that two tracks of a film are not compared
    run_key.use("11" * 32)
    other = _heard(list(disguised(source, 0)))
    assert not np.array_equal(once, other)


def test_the_inverse_of_the_pitch_does_not_bring_the_formants_back(tmp_path: Path) -> None:
    voice = VOICES[3]
    heard = _heard(list(changed(_saved(tmp_path / "a.mkv", _vowel(4)), 0, voice)))
    back = changed(_saved(tmp_path / "b.mkv", heard), 0, Voice(1 / voice.pitch, 1 / voice.pitch, 0))
    wave = _heard(list(back))
    assert _pitch(wave) == pytest.approx(PITCH, rel=0.02)
    power = _spectrum(wave)
    place = FORMANTS[2]
    missed = power[int(place * 0.98) : int(place * 1.02)].max()
    assert power[int(place * 0.82) : int(place * 0.95)].max() > 2 * missed


def test_silence_stays_silent_and_loudness_is_kept(tmp_path: Path) -> None:
    silent = _heard(list(changed(_saved(tmp_path / "a.mkv", np.zeros(RATE, np.float32)), 0, VOICES[0])))
    assert np.abs(silent).max() < 1e-4
    wave = _vowel(3)
    for voice in VOICES:
        heard = _heard(list(changed(_saved(tmp_path / "b.mkv", wave), 0, voice)))
        assert 0.4 < np.sqrt(np.mean(heard**2) / np.mean(wave**2)) < 2.5
        assert np.abs(heard).max() <= 1


def test_what_is_no_sound_is_refused_in_words(tmp_path: Path) -> None:
    source = _saved(tmp_path / "a.mkv", _vowel(1))
    with pytest.raises(UnreadableError, match="has no sound in stream 3"):
        list(disguised(source, 3))
    (tmp_path / "b.mkv").write_bytes(b"no film")
    with pytest.raises(UnreadableError, match="its sound cannot be read"):
        list(disguised(tmp_path / "b.mkv", 0))


@pytest.mark.shared_data
def test_a_real_track_keeps_its_duration(shared: Path) -> None:
    source = shared / "video" / "facenetpt_video.mp4"
    with av.open(str(source)) as container:
        track = container.streams.audio[0]
        index = track.index
        length = sum(frame.samples for frame in container.decode(track)) / (track.rate or 1)
    frames = list(disguised(source, index))
    assert sum(frame.samples for frame in frames) / RATE == pytest.approx(length, abs=0.02)
