"""The carver finds what is planted in films, names it with its place, and says nothing about clean ones."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from film_samples import (
    CAPTIONS,
    SECRET,
    Film,
    appended,
    box,
    element,
    inserted,
    made,
    nal,
    patched,
    place,
    recut,
    sei,
)
from hypothesis import given
from hypothesis import strategies as st

from faceveil.verify import bmff, samples
from faceveil.verify.carve import carve
from faceveil.verify.leak import Leak

MP4, MOV, MKV, WEBM = Film("mp4"), Film("mov"), Film("matroska"), Film("webm")
HEVC, AV1 = replace(MP4, codec="libx265", coding=(("x265-params", "log-level=none"),)), replace(MP4, codec="libsvtav1")
FRAGMENTS = (("movflags", "frag_keyframe+empty_moov+default_base_moof"),)
CLEAN = {
    "mp4": MP4,
    "mov": MOV,
    "matroska": MKV,
    "webm": WEBM,
    "hevc": HEVC,
    "av1": AV1,
    "hevc.mkv": replace(HEVC, form="matroska"),
    "av1.webm": replace(AV1, form="webm"),
    "vp8": replace(WEBM, codec="libvpx"),
    "prores": replace(MOV, codec="prores_ks", pixels="yuv422p10le"),
    "mjpeg": replace(MOV, codec="mjpeg", pixels="yuvj420p"),
    "mpeg4": replace(MP4, codec="mpeg4"),
    "fragments": replace(MP4, options=FRAGMENTS),
    "many fragments": replace(MP4, options=(("movflags", "frag_every_frame"),), frames=12),
    "live.mkv": replace(MKV, options=(("live", "1"),)),
    "b-frames": replace(MP4, frames=30, coding=(("bf", "3"),)),
    "not bitexact": replace(MP4, bitexact=False),
}


def _film(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def _meta(*tags: bytes) -> bytes:
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return box(b"meta", bytes(4) + handler + box(b"ilst", b"".join(tags)))


def _text(kind: bytes) -> bytes:
    return box(kind, box(b"data", struct.pack(">II", 1, 0) + SECRET))


def _mp4(change: Callable[[bytes], bytes], film: Film = MP4) -> Callable[[], bytes]:
    return lambda: change(made(film))


def _with(*path: bytes, more: bytes, film: Film = MP4) -> Callable[[], bytes]:
    return lambda: inserted(made(film), more, *path)


def _first(more: bytes, film: Film = MP4, form: str = "mp4") -> Callable[[], bytes]:
    """`more` before the first coded picture."""
    return lambda: recut(made(film), form, lambda number, data: (b"" if number else more) + data)


def _named(kind: bytes, data: bytes, at: int, more: bytes, *path: bytes) -> bytes:
    return patched(data, place(data, *path, kind)[0] + at, more)


def _zeroed(data: bytes) -> int:
    """Where the load of the first padding of a Matroska film begins."""
    return data.index(b"\xec\x01\x00\x00") + 9


_STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
NEEDLES: dict[str, tuple[Callable[[], bytes], str, bytes]] = {
    # name: what makes it, the words of the find, the bytes that must lie at its place
    "sound": (lambda: made(replace(MP4, sound=True)), "a sound track (mp4a", b""),
    "sound of QuickTime": (lambda: made(replace(MOV, sound=True)), "a sound track (sowt", b""),
    "subtitles": (lambda: made(replace(MP4, texts=True)), "subtitles (tx3g", SECRET),
    "second video": (lambda: made(replace(MP4, more=True)), "one more video track (avc1", b""),
    "chapters": (lambda: made(replace(MP4, chapters=True)), "chapters", SECRET),
    "chapter track": (lambda: made(replace(MP4, chapters=True)), "a track of chapters (text", SECRET),
    "title": (lambda: made(replace(MP4, tags=(("title", SECRET.decode()),))), "a title (Alice", SECRET),
    "comment": (lambda: made(replace(MP4, tags=(("comment", SECRET.decode()),))), "a comment (Alice", SECRET),
    "cover": (_with(b"moov", b"udta", more=_meta(box(b"covr", box(b"data", bytes(8) + SECRET)))), "a cover", SECRET),
    "date": (lambda: made(replace(MP4, tags=(("creation_time", "2021-02-03T04:05:06Z"),))), "2021-02-03 04:05:06", b""),
    "place": (
        _with(b"moov", b"udta", more=box(b"\xa9xyz", b"\0\x12\x15\xc7+52.5+013.4/")),
        "the place (GPS)",
        b"+52.5",
    ),
    "place by Apple's key": (
        lambda: made(
            Film("mov", options=(("movflags", "use_metadata_tags"),), tags=(("location.ISO6709", "+52.5+013.4/"),))
        ),
        "the place (GPS)",
        b"+52.5",
    ),
    "name of the software": (_with(b"moov", b"udta", more=_meta(_text(b"\xa9too"))), "the software (Alice", SECRET),
    "unknown user data": (_with(b"moov", b"udta", more=box(b"abcd", SECRET)), "metadata 'abcd' (Alice", SECRET),
    "track's user data": (_with(b"moov", b"trak", more=box(b"udta", box(b"name", SECRET))), "a name (Alice", SECRET),
    "private box": (_with(b"moov", more=box(b"uuid", bytes(16) + SECRET)), "a private box", SECRET),
    "unknown box": (_with(b"moov", b"trak", b"mdia", more=box(b"abcd", SECRET)), "of unknown type 'abcd'", SECRET),
    "free box": (lambda: made(MP4) + box(b"free", SECRET), "data in padding", SECRET),
    "trailer": (lambda: made(MP4) + SECRET, "data after the end of the file's structure", SECRET),
    "second file": (lambda: made(MP4) + made(MP4), "a second film", b""),
    "orphans": (
        _mp4(lambda data: inserted(data, SECRET, b"mdat")),
        "bytes that nothing in the file refers to",
        SECRET,
    ),
    "hidden by the edit list": (
        _mp4(lambda d: _named(b"elst", d, 20, struct.pack(">i", 1024 + 3 * 512), b"moov", b"trak", b"edts")),
        "pictures that the edit list hides (3)",
        b"",
    ),
    "cut by the edit list": (
        _mp4(lambda d: _named(b"elst", d, 16, struct.pack(">I", 80), b"moov", b"trak", b"edts")),
        "pictures that the edit list hides (3)",
        b"",
    ),
    "language": (lambda: made(replace(MP4, track_tags=(("language", "deu"),))), "a language (deu)", b""),
    "handler": (
        lambda: made(replace(MP4, track_tags=(("handler_name", SECRET.decode()),))),
        "the name of a handler (Alice",
        SECRET,
    ),
    "compressor": (
        _mp4(lambda d: _named(b"avc1", d, 50, bytes([len(SECRET)]) + SECRET, *_STBL, b"stsd")),
        "the name of a compressor (Alice",
        SECRET,
    ),
    "sample description": (
        _with(*_STBL, b"stsd", b"avc1", more=box(b"abcd", SECRET)),
        "box 'abcd' in a sample",
        SECRET,
    ),
    "other file": (
        _mp4(lambda d: _named(b"url ", d, 8, bytes(4), *_STBL[:4], b"dinf", b"dref")),
        "a reference to another file",
        b"",
    ),
    "table's end": (_with(*_STBL, b"stco", more=SECRET), "bytes after the end of a table 'stco'", SECRET),
    "header's end": (_with(b"moov", b"mvhd", more=SECRET), "a box 'mvhd' of another size", SECRET),
    "time code": (
        lambda: made(replace(MOV, tags=(("timecode", "01:02:03:04"),))),
        "a time code (tmcd",
        struct.pack(">I", ((1 * 60 + 2) * 60 + 3) * 25 + 4),
    ),
    "event message": (lambda: made(MP4) + box(b"emsg", SECRET), "an event message", SECRET),
    "fragment's orphans": (
        lambda: inserted(made(replace(MP4, options=FRAGMENTS)), SECRET, b"mdat"),
        "bytes that nothing in the file refers to",
        SECRET,
    ),
    # coded pictures
    "user data": (_first(sei(5, bytes(range(16)) + SECRET)), "user data (Alice", SECRET),
    "user data behind x264's name": (
        _first(sei(5, bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef") + b"x264 - core 1\x01" + SECRET)),
        "user data in an encoder's name",
        SECRET,
    ),
    "captions": (_first(sei(4, CAPTIONS)), "closed captions (A53)", CAPTIONS),
    "unknown SEI": (_first(sei(99, SECRET)), "an SEI message of type 99", SECRET),
    "unspecified NAL": (_first(nal(b"\x1e" + SECRET)), "a NAL unit of type 30", SECRET),
    "auxiliary picture": (_first(nal(b"\x13" + SECRET)), "an auxiliary picture", SECRET),
    "filler": (_first(nal(b"\x0c\xff\xff" + SECRET)), "data in filler", SECRET),
    "HEVC user data": (_first(sei(5, bytes(range(16)) + SECRET, hevc=True), HEVC), "user data (Alice", SECRET),
    "HEVC time code": (_first(sei(136, b"\x60\x10\x20\x30", hevc=True), HEVC), "a time code", b""),
    "HEVC layer": (_first(nal(b"\x40\x09" + SECRET), HEVC), "a second layer", SECRET),
    "HEVC in fragments": (
        lambda: recut(made(HEVC), "ismv", lambda n, d: d + sei(5, bytes(range(16)) + SECRET, hevc=True) * (n == 3)),
        "user data (Alice",
        SECRET,
    ),
    "AV1 metadata": (_first(b"\x2a" + bytes([2 + len(SECRET)]) + b"\x04" + SECRET + b"\x80", AV1), "(T.35)", SECRET),
    "AV1 padding": (  # muxers drop padding: it is planted as metadata first
        lambda: _first(b"\x2a" + bytes([len(SECRET)]) + SECRET, AV1)().replace(b"\x2a\x12Alice", b"\x7a\x12Alice"),
        "data in padding",
        SECRET,
    ),
    "MPEG-4 user data": (
        _first(b"\0\0\1\xb2" + SECRET + b"\0", CLEAN["mpeg4"]),
        "user data (Alice",
        SECRET,
    ),
    "JPEG comment in a film": (
        lambda: recut(
            made(CLEAN["mjpeg"]), "mov", lambda n, d: d[:2] + b"\xff\xfe" + struct.pack(">H", 20) + SECRET + d[2:]
        ),
        "a comment (Alice",
        SECRET,
    ),
    # Matroska and WebM
    "Matroska sound": (lambda: made(replace(MKV, sound=True)), "a sound track (A_AAC", b""),
    "WebM sound": (lambda: made(replace(WEBM, sound=True)), "a sound track (A_OPUS", b""),
    "Matroska second video": (lambda: made(replace(MKV, more=True)), "one more video track", b""),
    "Matroska subtitles": (lambda: made(replace(MKV, texts=True)), "subtitles (", SECRET),
    "Matroska title": (lambda: made(replace(MKV, tags=(("title", SECRET.decode()),))), "a title (Alice", SECRET),
    "Matroska tag": (lambda: made(replace(MKV, tags=(("ARTIST", SECRET.decode()),))), "a tag ARTIST (Alice", SECRET),
    "Matroska tag of a track": (
        lambda: made(replace(MKV, track_tags=(("where", SECRET.decode()),))),
        "a tag WHERE (Alice",
        SECRET,
    ),
    "Matroska date": (
        lambda: made(replace(MKV, tags=(("creation_time", "2021-02-03T04:05:06Z"),))),
        "a date (2021-02-03 04:05:06)",
        b"",
    ),
    "Matroska chapters": (lambda: made(replace(MKV, chapters=True)), "chapters", SECRET),
    "Matroska attachment": (lambda: made(replace(MKV, attachment=True)), "attachments", SECRET),
    "Matroska track's name": (
        lambda: made(replace(MKV, track_tags=(("title", SECRET.decode()),))),
        "a track's name (Alice",
        SECRET,
    ),
    "Matroska language": (lambda: made(replace(MKV, track_tags=(("language", "deu"),))), "a language (deu)", b"deu"),
    "Matroska padding": (_mp4(lambda d: patched(d, _zeroed(d), SECRET), MKV), "data in padding", SECRET),
    "Matroska trailer": (lambda: made(MKV) + SECRET, "data after the end of the film", SECRET),
    "Matroska unknown element": (lambda: appended(made(MKV), element(0x4FFE, SECRET)), "an unknown element", SECRET),
    "Matroska block of no track": (
        lambda: appended(made(MKV), element(0x1F43B675, element(0xA3, b"\x85\0\0\0" + SECRET))),
        "a block of no track",
        SECRET,
    ),
    "Matroska identifier": (lambda: made(replace(MKV, bitexact=False)), "an identifier of the file", b""),
    "Matroska software": (
        _mp4(lambda d: d.replace(b"WA\x84Lavf", b"WA\x84Anna"), WEBM),
        "the software (WritingApp) (Anna)",
        b"Anna",
    ),
    "Matroska checksum": (
        _mp4(lambda d: patched(d, d.index(b"\xbf\x84") + 2, b"Anna"), MKV),
        "a checksum that does not fit",
        b"Anna",
    ),
    "Matroska long number": (
        lambda: appended(made(MKV), element(0x1C53BB6B, element(0xBB, element(0xB3, SECRET)))),
        "a number of 18 bytes",
        SECRET,
    ),
    "WebM alpha plane": (
        lambda: made(replace(WEBM, pixels="yuva420p", coding=(("auto-alt-ref", "0"),))),
        "additions to a picture (BlockAdditions)",
        b"",
    ),
    "Matroska captions": (_first(sei(4, CAPTIONS), MKV, "matroska"), "closed captions (A53)", CAPTIONS),
    "Matroska invisible picture": (
        _mp4(lambda d: d.replace(b"\x81\x00\x28\x00", b"\x81\x00\x28\x08", 1), WEBM),
        "pictures that are never shown (1)",
        b"",
    ),
}


def _what(leaks: list[Leak]) -> str:
    return "; ".join(leak.what for leak in leaks)


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_film_is_clean(name: str) -> None:
    assert carve(made(CLEAN[name])) == []


@pytest.mark.parametrize("form", ["mp4", "mov", "matroska", "webm"])
def test_sound_is_a_leak_unless_it_is_allowed(form: str) -> None:
    data = made(Film(form, sound=True))
    (leak,) = carve(data)
    assert leak.what.startswith("a sound track (")
    assert carve(data, allow_sound=True) == []


@pytest.mark.parametrize("name", NEEDLES)
def test_a_needle_is_found_and_named_with_its_place(name: str) -> None:
    make, words, secret = NEEDLES[name]
    data = make()
    found = carve(data)
    named = [leak for leak in found if words in leak.what]
    assert named, _what(found)
    assert any(secret in data[leak.offset : leak.offset + leak.size] for leak in named), named
    assert all(0 <= leak.offset <= leak.offset + leak.size <= len(data) for leak in found)


_SEVERAL = {  # what cannot be planted alone
    "chapters": ("a track of chapters", "a reference to another track"),
    "chapter track": ("chapters", "a reference to another track"),
    "second file": ("a track", "one more video track", "bytes"),
    "time code": ("a reference to another track",),
    "HEVC in fragments": ("a private box",),
    "place by Apple's key": ("metadata",),
    "WebM alpha plane": ("an alpha plane beside the pictures", "additions to pictures"),
}


@pytest.mark.parametrize("name", NEEDLES)
def test_a_needle_is_the_only_find(name: str) -> None:
    make, words, _ = NEEDLES[name]
    others = [leak for leak in carve(make()) if words not in leak.what and not leak.what.startswith("a date in")]
    unexpected = [leak for leak in others if not leak.what.startswith(_SEVERAL.get(name, "a checksum"))]
    assert not unexpected, _what(unexpected)


def test_a_second_film_is_found_where_it_begins() -> None:
    first, second = made(MP4), made(MOV)
    found = carve(first + second)
    assert any(leak.offset == len(first) for leak in found), found


def test_data_in_metadata_of_another_order_is_found() -> None:
    faststart = inserted(made(MP4), box(b"udta", box(b"\xa9nam", b"\0\x12\x15\xc7" + SECRET)), b"moov")
    assert "a title (Alice" in _what(carve(faststart))


def test_a_mapped_film_is_carved_like_one_in_memory(tmp_path: Path) -> None:
    for name in ("captions", "orphans", "Matroska tag", "subtitles"):
        data = NEEDLES[name][0]()
        path = tmp_path / "film"
        path.write_bytes(data)
        with path.open("rb") as file:
            assert carve(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) == carve(data)


def test_boxes_beyond_32_bits_are_walked_without_being_read(tmp_path: Path) -> None:
    data, size = made(MP4), 5 << 30
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:  # sparse
        file.write(data + struct.pack(">I4sQ", 1, b"uuid", size))
        file.seek(len(data) + size)
        file.write(SECRET)
    with path.open("rb") as file:
        found = bmff.carve(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    assert found == [
        Leak("a private box", len(data), size),
        Leak("data after the end of the file's structure", len(data) + size, len(SECRET)),
    ]


@given(st.sampled_from(["mp4", "mov", "matroska", "webm", "hevc", "av1", "fragments", "mjpeg", "live.mkv"]), st.data())
def test_damaged_films_are_carved_without_an_error(name: str, data: st.DataObject) -> None:
    film = bytearray(made(CLEAN[name]))
    for _ in range(data.draw(st.integers(1, 3))):
        patch = data.draw(st.binary(min_size=1, max_size=8))
        at = data.draw(st.integers(0, len(film) - len(patch)))
        film[at : at + len(patch)] = patch
    for leak in carve(bytes(film)) + carve(bytes(film[: data.draw(st.integers(0, len(film)))])):
        assert leak.offset >= 0
        assert leak.size >= 0
        assert leak.offset + leak.size <= len(film)


@given(st.sampled_from(["mp4", "mov", "matroska", "webm", "fragments"]), st.floats(0.02, 0.98))
def test_a_film_that_is_cut_off_is_never_clean(name: str, where: float) -> None:
    film = made(CLEAN[name])
    assert carve(film[: int(len(film) * where)])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=8), st.integers(0, 30), st.integers(0, 40))
def test_gaps_are_what_no_range_covers(ranges: list[tuple[int, int]], start: int, size: int) -> None:
    claimed = np.array([(a, a + n) for a, n in ranges], np.int64).reshape(-1, 2)
    expected = {i for i in range(start, start + size) if not any(a <= i < a + n for a, n in ranges)}
    found = [set(range(a, b)) for a, b in samples.gaps(claimed, start, start + size).tolist()]
    assert set().union(*found) == expected
    assert sum(map(len, found)) == len(expected)


def test_samples_lie_where_the_demuxer_finds_them() -> None:
    """The sample tables, read here, against FFmpeg's reading of them."""
    for name in ("mp4", "mov", "hevc", "fragments", "many fragments", "b-frames"):
        data = made(CLEAN[name])
        with av.open(io.BytesIO(data), "r") as container:
            wanted = {packet.pos for packet in container.demux(video=0) if packet.size}
        assert bmff.pictures(data) == wanted, name


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "de_with-gps.mov",
            ["the place (GPS) (+32.0929", "(mebx", "a sound track (mp4a", "a date"],
        ),
        ("apple_live_IMG_3853.mov", ["the place (GPS) (+35.7143", "(mebx", "a sound track (lpcm", "make' (Apple)"]),
        ("tc_nasa_13013.mp4", ["one more video track", "subtitles (tx3g", "a language (eng)", "a sound track"]),
        ("redact_not_keyframe.mp4", ["pictures that the edit list hides (1)", "a sound track"]),
        ("derived/vp9.webm", []),
        ("carphone_pristine.mp4", []),
    ],
)
def test_real_films_hold_what_they_hold(shared: Path, name: str, words: list[str]) -> None:
    found = carve((shared / "video" / name).read_bytes())
    for word in words:
        assert word in _what(found)
    assert words or not found
