"""Real clips: phones, cameras and other people's test suites; see ../shared/data/README.md."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import video_samples as samples

from faceveil import media
from faceveil.errors import InputError
from faceveil.media.video import VideoCoding, create_video, open_video

pytestmark = pytest.mark.shared_data

CLIPS = """
apple_live_IMG_3853.mov carphone_pristine.mp4 de_with-gps.mov decord_corrupted.mp4 decord_video_180.mov
decord_video_270.mov decord_video_90.mov egoblur_gen1.mp4 egoblur_gen2_face.mp4 facenetpt_video.mp4 hamilton_short.mp4
intel_car.mp4 intel_one_by_one_person.mp4 mpiigaze_video00.mp4 mpiigaze_video02.mp4 mpiigaze_video03.mp4
mpiigaze_video04.mp4 pk_wave.mp4 redact_broken.mp4 redact_not_keyframe.mp4 sihan_test.mp4 tc_h264_10bits.mp4
tc_h265_10bits.mp4 tc_nasa_13013.mp4 derived/hevc_main10_pq.mp4 derived/portrait_rot90.mp4 derived/rot180.mp4
derived/vp9.webm
""".split()
REFUSED = {
    "decord_corrupted.mp4": "is damaged: some of its pictures cannot be decoded",
    "redact_broken.mp4": "is not a video",
}
COPIED = 12  # pictures of each clip that go through the encoder


def test_every_clip_is_tested(shared: Path) -> None:
    found = {str(path.relative_to(shared / "video")) for path in (shared / "video").rglob("*.*")}
    assert found == set(CLIPS)


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_is_copied_as_it_is_or_refused_in_words(shared: Path, tmp_path: Path, name: str) -> None:
    path = shared / "video" / name
    target = tmp_path / path.name
    if name in REFUSED:
        with pytest.raises(InputError, match=f"{path.name} {REFUSED[name]}$"):
            list(open_video(path))
        return
    source = open_video(path)
    coding = VideoCoding(preset=None if name.endswith(".webm") else "ultrafast", audio="keep")
    with create_video(target, source.info, coding=coding, source=source) as sink:
        times = []
        for planes in itertools.islice(source, COPIED):
            sink.append(planes)
            times.append(planes.time)
    made = open_video(target)
    assert [planes.time for planes in made] == times == samples.times(path)[:COPIED]
    assert (made.info.matrix, made.info.sample_aspect) == (source.info.matrix, source.info.sample_aspect)
    assert made.info.colours == source.info.colours
    assert made.info.pixel_format == source.info.pixel_format
    assert made.info.notes == ()
    assert media.output_suffix(path, source.info) == path.suffix
    for before, after in zip(itertools.islice(source, 3), made, strict=False):
        error = before.planes[0].astype(float) - after.planes[0]
        assert 10 * np.log10((2**before.bits - 1) ** 2 / np.mean(error**2)) > 33


@pytest.mark.parametrize(
    ("name", "pictures", "first", "last"),
    [
        ("de_with-gps.mov", 120, Fraction(0), Fraction(2381, 600)),
        ("hamilton_short.mp4", 275, Fraction(10214, 11988), Fraction(119814, 11988)),
        ("sihan_test.mp4", 132, Fraction(0), Fraction(2683, 600)),
        ("redact_not_keyframe.mp4", 4, Fraction(0), Fraction(1536, 15360)),
        ("tc_nasa_13013.mp4", 390, Fraction(0), Fraction(389389, 30000)),
        ("derived/vp9.webm", 40, Fraction(0), Fraction(13, 10)),
    ],
)
def test_all_pictures_of_a_clip_come_at_their_times(
    shared: Path, name: str, pictures: int, first: Fraction, last: Fraction
) -> None:
    times = [planes.time for planes in open_video(shared / "video" / name)]
    assert (len(times), times[0], times[-1]) == (pictures, first, last)


@pytest.mark.parametrize("name", ["hamilton_short.mp4", "facenetpt_video.mp4", "apple_live_IMG_3853.mov"])
def test_sound_of_a_clip_is_the_same_packets(shared: Path, tmp_path: Path, name: str) -> None:
    path, target = shared / "video" / name, tmp_path / name
    source = open_video(path)
    with create_video(target, source.info, coding=VideoCoding(audio="keep"), source=source) as sink:
        sink.append(next(iter(source)))
    before, after = samples.sound_packets(path), samples.sound_packets(target)
    assert before.keys() == after.keys()
    for track, packets in before.items():  # FFmpeg cuts PCM into packets as it likes
        assert b"".join(data for _, data in after[track]) == b"".join(data for _, data in packets)
        assert abs(after[track][0][0] - packets[0][0]) < 1e-3
        assert abs(after[track][-1][0] - packets[-1][0]) < 0.1


def test_location_and_timed_metadata_do_not_pass(shared: Path, tmp_path: Path) -> None:
    path = shared / "video" / "de_with-gps.mov"
    needles = (b"com.apple.quicktime.location", b"com.apple.quicktime.model", b"mebx", b"Core Media")
    assert all(needle in path.read_bytes() for needle in needles[:2])
    source = open_video(path)
    with create_video(tmp_path / "out.mov", source.info, coding=VideoCoding(audio="keep"), source=source) as sink:
        for planes in itertools.islice(source, 5):
            sink.append(planes)
    data = (tmp_path / "out.mov").read_bytes()
    assert not any(needle in data for needle in needles)
