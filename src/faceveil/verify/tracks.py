"""Tracks of films (ISO/IEC 14496-12, QuickTime): what each is, which bytes are its, and which pictures it hides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from faceveil.verify import bitstream, headers
from faceveil.verify.boxes import Box, boxes, few, number, within
from faceveil.verify.leak import SOUND, Data, Leak, Range, printable
from faceveil.verify.samples import DamagedError, Samples, fragments, read

PICTURES = (b"vide", b"pict")
_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
_OTHER = {
    b"soun": SOUND, b"text": "a text track", b"sbtl": "subtitles", b"subt": "subtitles", b"clcp": "closed captions",
    b"meta": "a track of timed metadata", b"tmcd": "a time code", b"mdta": "a track of timed metadata",
    b"camm": "a track of timed metadata", b"hint": "a track of hints", b"auxv": "a track of auxiliary pictures",
}  # fmt: skip
_EDITS = 10_000
_PRIMING = 0.25  # seconds: an encoder's delay, which the edit list hides, is 0.02 to 0.13 (AAC with SBR at 16 kHz)


@dataclass(frozen=True, slots=True)
class Track:
    """One track.

    number: as fragments and references call it. handler, codec: what it holds, as in its headers.
    entry: its first sample description. scale: ticks in a second. edits: shown parts in its ticks, None for all.
    """

    box: Box
    number: int = 0
    handler: bytes = b""
    codec: bytes = b""
    entry: Box | None = None
    scale: int = 1
    edits: tuple[Range, ...] | None = None
    samples: Samples = field(default_factory=Samples)
    damaged: str = ""


def open_track(data: Data, box: Box, film_scale: int) -> Track:
    """A track by its box (`trak`). Tables that cannot be trusted are told in `damaged`."""
    inside = within(data, box)
    media = within(data, inside[b"mdia"]) if b"mdia" in inside else {}
    info = within(data, media[b"minf"]) if b"minf" in media else {}
    table = within(data, info[b"stbl"]) if b"stbl" in info else {}
    if not {b"tkhd"} <= inside.keys() or not {b"mdhd", b"hdlr"} <= media.keys() or b"stsd" not in table:
        return Track(box, damaged="a track without its headers")
    wide = data[inside[b"tkhd"].load] == 1
    track = Track(
        box,
        number(data, inside[b"tkhd"].load + (20 if wide else 12), 4),
        data[media[b"hdlr"].load + 8 : media[b"hdlr"].load + 12],
        scale=number(data, media[b"mdhd"].load + (20 if data[media[b"mdhd"].load] == 1 else 12), 4) or 1,
    )
    entry = next(boxes(data, table[b"stsd"].load + 8, table[b"stsd"].end), None)
    if entry is not None:
        track = replace(track, entry=entry, codec=entry.kind)
    unit = headers.sound_unit(data, entry) if entry is not None and track.handler == b"soun" else (1, 1)
    try:
        edits = _edits(data, inside, track.scale, film_scale)
        return replace(track, edits=edits, samples=read(data, table, unit))
    except DamagedError as error:
        return replace(track, damaged=str(error))


def _edits(data: Data, inside: dict[bytes, Box], scale: int, film_scale: int) -> tuple[Range, ...] | None:
    """The parts of a track that are shown, in its ticks; None where no edit list says so."""
    box = within(data, inside[b"edts"]).get(b"elst") if b"edts" in inside else None
    if box is None:
        return None
    wide = 8 if data[box.load] == 1 else 4
    count, step = number(data, box.load + 4, 4), 2 * wide + 4
    if box.load + 8 + count * step > box.end or count > _EDITS:
        raise DamagedError("an edit list that is cut off, or of more edits than a film has")
    shown = []
    for at in range(box.load + 8, box.load + 8 + count * step, step):
        lasting, start = number(data, at, wide), int.from_bytes(data[at + wide : at + 2 * wide], signed=True)
        if start >= 0:
            end = start + -(-lasting * scale // film_scale) if lasting else 1 << 62  # 0: to the end of the fragments
            shown.append((start, end))
    return tuple(shown)


def with_fragments(data: Data, tracks: list[Track], movie: list[Box]) -> list[Track]:
    """The tracks with the samples of all movie fragments. movie: the boxes of the first two levels."""
    sizes = {}
    for box in movie:
        if box.kind == b"trex":
            sizes[number(data, box.load + 4, 4)] = number(data, box.load + 16, 4)
    more: dict[int, list[Samples]] = {}
    damage = ""
    for box in movie:
        if box.kind == b"moof":
            try:
                for which, samples in fragments(data, box, sizes).items():
                    more.setdefault(which, []).append(samples)
            except DamagedError as error:
                damage = str(error)
    names = ("ranges", "starts", "sizes")
    joined = []
    for track in tracks:
        parts = [track.samples, *more.get(track.number, ())]
        arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        samples = Samples(*arrays) if len(parts) > 1 else track.samples
        joined.append(replace(track, samples=samples, damaged=track.damaged or damage))
    return joined


def kept(data: Data, tracks: list[Track]) -> list[Track]:
    """The tracks that a film needs: its first pictures, and with them their alpha plane."""
    pictures = [track for track in tracks if track.handler in PICTURES][:1]
    alphas = [track for track in tracks if track.handler == b"auxv" and _is_alpha(data, track)]
    return pictures + (alphas[:1] if pictures else [])


def _is_alpha(data: Data, track: Track) -> bool:
    return track.entry is not None and _ALPHA in data[track.entry.load : min(track.entry.end, track.entry.load + 4096)]


def leaks(data: Data, tracks: list[Track]) -> Iterator[Leak]:
    """Tracks that are no part of the picture, pictures that are never shown, and what rides in the coded pictures.

    The place of a track is its first run of samples: what it says stands there.
    """
    needed = kept(data, tracks)
    chapters = {target for track in tracks for target in _chapters(data, track.box)}
    for track in tracks:
        if track.damaged:
            yield Leak(track.damaged, track.box.start, track.box.size)
        if track in needed:
            yield from _hidden(track)
            samples = track.samples
            yield from bitstream.leaks(data, track.codec, samples.starts, samples.sizes, _setup(data, track))
        else:
            what = "a track of chapters" if track.number in chapters and track.handler != b"soun" else _named(track)
            said = f"{what} ({printable(track.codec)}, {track.samples.total} bytes in samples)"
            runs = track.samples.ranges
            start, end = runs[0].tolist() if len(runs) else (track.box.start, track.box.end)
            yield Leak(said, start, end - start)
            if track.handler == b"soun":
                yield from _unheard(track)


def _named(track: Track) -> str:
    if track.handler in PICTURES:
        return "one more video track"
    return _OTHER.get(track.handler, f"a track of type '{printable(track.handler)}'")


def _chapters(data: Data, box: Box) -> set[int]:
    """Tracks that a track names as its chapters."""
    references = within(data, box).get(b"tref")
    found = [] if references is None else [b for b in few(data, references.load, references.end) if b.kind == b"chap"]
    return {number(data, at, 4) for inner in found for at in range(inner.load, min(inner.end, inner.load + 4096), 4)}


def _hidden(track: Track) -> Iterator[Leak]:
    """Pictures outside of all edits: they are in the file, and players leave them out."""
    samples = track.samples
    if track.edits is None or not len(samples.shown):
        return
    seen = np.zeros(len(samples.shown), bool)
    for start, end in track.edits:
        seen |= (samples.shown + samples.lasting > start) & (samples.shown < end)
    if not seen.all():
        first = int(np.argmin(seen))
        count, size = int((~seen).sum()), int(samples.sizes[~seen].sum())
        yield Leak(f"pictures that the edit list hides ({count})", int(samples.starts[first]), size)


def _unheard(track: Track) -> Iterator[Leak]:
    starts = [start for start, _ in track.edits or ()]
    if starts and min(starts) > _PRIMING * track.scale:
        seconds = min(starts) / track.scale
        yield Leak(f"sound that the edit list hides ({seconds:.1f} s)", track.box.start, track.box.size)


def _setup(data: Data, track: Track) -> Range | None:
    """Where the decoder's configuration lies, which says how lengths are written and may hold messages too."""
    inner = few(data, track.entry.load + 78, track.entry.end) if track.entry is not None else iter(())
    return next(((box.load, box.end) for box in inner if box.kind in (b"avcC", b"hvcC")), None)


def descriptions(data: Data, track: Track) -> Iterator[Leak]:
    """Leaks of the boxes that describe a track's samples."""
    box: Box | None = track.box
    for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
        box = within(data, box).get(kind) if box is not None else None
    if box is not None:
        yield from headers.descriptions(data, box, sound=track.handler == b"soun")
