"""Camera RAW: developed by rawpy where it is installed, a sentence with the cure where it is not."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import faceveil
from faceveil import media
from faceveil.dataset.inputs import collect
from faceveil.dataset.task import Setup, Task, run
from faceveil.errors import RequestError, UnreadableError
from faceveil.policy import Policy


def dng(cfa: NDArray[np.uint16], orientation: int = 1) -> bytes:
    """An uncompressed DNG 1.4 of one Bayer plane (RGGB), its directory first. The colour matrix is that of sRGB."""
    height, width = cfa.shape
    load = cfa.astype("<u2").tobytes()
    xyz = (32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570)  # IEC 61966-2-1, in ten-thousandths
    tags: dict[int, tuple[str, tuple[int, ...] | bytes]] = {
        254: ("I", (0,)), 256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (16,)), 259: ("H", (1,)),
        262: ("H", (32803,)), 271: ("s", b"CANARY\x00"), 272: ("s", b"CANARY\x00"), 273: ("I", (0,)),
        274: ("H", (orientation,)), 277: ("H", (1,)), 278: ("I", (height,)), 279: ("I", (len(load),)),
        284: ("H", (1,)), 33421: ("H", (2, 2)), 33422: ("B", b"\x00\x01\x01\x02"), 50706: ("B", b"\x01\x04\x00\x00"),
        50708: ("s", b"CANARY\x00"), 50717: ("I", (65535,)), 50778: ("H", (21,)),
        50721: ("i", tuple(v for x in xyz for v in (x, 10000))), 50728: ("r", (1, 1, 1, 1, 1, 1)),
    }  # fmt: skip
    kinds = {"B": 1, "s": 2, "H": 3, "I": 4, "r": 5, "i": 10}
    room = 8 + 2 + 12 * len(tags) + 4
    sizes = {t: len(v) if k in "Bs" else len(v) * {"H": 2}.get(k, 4) for t, (k, v) in tags.items()}
    start = room + sum(size + size % 2 for size in sizes.values() if size > 4)
    tags[273] = ("I", (start,))
    entries, values = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        raw = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{kind.replace('r', 'I')}", *value)
        count = len(value) // (2 if kind in "ri" else 1)
        place = raw.ljust(4, b"\x00") if len(raw) <= 4 else struct.pack("<I", room + len(values))
        values += raw + bytes(len(raw) % 2) if len(raw) > 4 else b""
        entries += struct.pack("<HHI", tag, kinds[kind], count) + place
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + values + load


def scene() -> NDArray[np.uint16]:
    """A bright upper left corner on a dark ground."""
    cfa = np.full((64, 96), 6000, np.uint16)
    cfa[:20, :30] = 50000
    return cfa


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_comes_out_upright_as_a_tiff_of_16_bits(orientation: int, tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="needs rawpy: pip install 'faceveil[raw]'")
    path = tmp_path / "a.dng"
    path.write_bytes(dng(scene(), orientation))
    source = media.open(path)
    (frame,) = source
    assert source.info.format == "TIFF"
    assert source.info.notes == ("The camera RAW is developed and written as a TIFF of 16 bits.",)
    assert frame.pixels.dtype == np.uint16
    corners = {1: (5, 5), 3: (-5, -5), 6: (5, -5), 8: (-5, 5)}
    assert frame.pixels.shape[:2] == ((64, 96) if orientation in (1, 3) else (96, 64))
    others = [frame.pixels[c].mean() for o, c in corners.items() if o != orientation]
    assert frame.pixels[corners[orientation]].mean() > 2 * max(others)
    done = faceveil.veil(path)
    assert done.output == tmp_path / "a_veiled.tif"
    data = done.output.read_bytes()
    assert b"CANARY" not in data
    assert media.open(data).info.bits == 16


@pytest.mark.parametrize("share", [0.999, 0.9, 0.6, 0.3])
def test_a_cut_off_raw_is_refused(share: float, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rawpy", reason="needs rawpy: pip install 'faceveil[raw]'")
    data = dng(scene())
    with pytest.raises(UnreadableError):
        list(media.open(data[: int(len(data) * share)]))
    assert capfd.readouterr() == ("", "")  # LibRaw complains there


def test_without_the_extra_the_file_fails_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = tmp_path / "a.dng"
    path.write_bytes(dng(scene()))
    outcome = run(Task(source=path, output=tmp_path / "b.tif"), Setup(policy=Policy.of()))
    assert outcome.status == "failed"
    assert outcome.reason == "is a camera RAW, and reading it needs rawpy — pip install 'faceveil[raw]'"
    assert not (tmp_path / "b.tif").exists()


def test_outputs_of_raws_are_named_as_tiffs(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.DNG", "b.cr2", "c.jpg"):
        (folder / name).write_bytes(b"x")
    names = [task.output.name for task in collect([folder]).tasks]
    assert names == ["a.tif", "b.tif", "c.jpg"]
    assert collect([folder / "a.DNG"]).tasks[0].output == folder / "a_veiled.tif"
    assert collect([folder / "a.DNG"], tmp_path / "out").tasks[0].output == tmp_path / "out" / "a.tif"
    assert collect([folder / "a.DNG"], tmp_path / "x.tiff").tasks[0].output == tmp_path / "x.tiff"
    with pytest.raises(RequestError, match=r"'x.jpg' would be another format than 'a.tif', and a camera RAW becomes"):
        collect([folder / "a.DNG"], tmp_path / "x.jpg")
    with pytest.raises(RequestError, match="is written as .tif, so it cannot be replaced in place"):
        collect([folder], in_place=True)


def test_a_raw_and_a_tiff_that_would_meet_are_refused_and_outputs_recognised(tmp_path: Path) -> None:
    for name in ("a.dng", "a_veiled.tif"):
        (tmp_path / name).write_bytes(b"x")
    found = collect([tmp_path / "a.dng", tmp_path / "a_veiled.tif"])
    assert [task.source.name for task in found.tasks] == ["a.dng"]
    assert [path.name for path in found.outputs] == ["a_veiled.tif"]
    (tmp_path / "a.tif").write_bytes(b"x")
    with pytest.raises(RequestError, match="would both be written to"):
        collect([tmp_path / "a.dng", tmp_path / "a.tif"])
