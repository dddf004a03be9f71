"""DICOM files that are no photograph, too large, cut off or damaged: each ends in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faceveil import media
from faceveil.dataset.task import Setup, Task, run
from faceveil.errors import InputError, TooLargeError, UnreadableError, UnsupportedError
from faceveil.policy import Policy

if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") != "1":
    pytest.importorskip("pydicom", reason="needs pydicom: pip install 'faceveil[dicom]'")
    pytest.importorskip("dicomanonymizer", reason="needs dicom-anonymizer: pip install 'faceveil[dicom]'")

import dicom_samples as samples
from dicom_samples import written
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

SLICES = ": a face can be rebuilt from the slices of a head, and covering does not prevent that"
ONLY = "of DICOM only photographs, endoscopy, microscopy and secondary captures are supported"
CUT = "the picture ends too early: some of its pixels are missing"
DAMAGED = "the picture is damaged: it cannot be decoded completely"
GREY8 = np.random.default_rng(7).integers(0, 256, (1, 36, 42), dtype=np.uint8)
GREY12 = np.random.default_rng(7).integers(0, 4096, (1, 36, 42), dtype=np.uint16)


def refusal(data: bytes) -> tuple[type[InputError], str]:
    """The error that opening or decoding raises."""
    with pytest.raises(InputError) as caught:
        list(media.open(data))
    return caught.type, str(caught.value)


@pytest.mark.parametrize(
    ("tail", "modality", "words"),
    [
        ("2", "CT", "a CT image" + SLICES),
        (
            "2.1",
            "CT",
            "a CT image" + SLICES,
        ),
        ("4", "MR", "an MR image" + SLICES),
        (
            "128",
            "PT",
            "a PET image" + SLICES,
        ),
        ("7", "CT", "a CT image" + SLICES),
        ("6.1", "US", "a DICOM of the kind 'Ultrasound Image Storage'"),
        ("88.11", "SR", "a DICOM of the kind 'Basic Text SR Storage'"),
        ("104.1", "DOC", "a DICOM of the kind 'Encapsulated PDF Storage'"),
        ("77.1.6", "SM", "a DICOM of the kind 'VL Whole Slide Microscopy Image Storage'"),
    ],
)
def test_what_is_no_photograph_is_refused(tail: str, modality: str, words: str) -> None:
    sop = f"1.2.840.10008.5.1.4.1.1.{tail}"
    data = samples.make(GREY8, "MONOCHROME2", SOPClassUID=sop, Modality=modality)
    assert refusal(data) == (UnsupportedError, f"the picture is {words}; {ONLY}")


def test_other_refusals_have_their_words() -> None:
    rgb = samples.colour()[None]
    private = samples.make(rgb, "RGB", SOPClassUID="1.2.3.4")
    assert refusal(private) == (UnsupportedError, f"the picture is a DICOM of an unknown kind; {ONLY}")
    index = Dataset()
    index.SOPClassUID, index.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3"
    assert "is a DICOMDIR, an index that names patients" in refusal(samples.saved(index))[1]
    empty = samples.dataset(rgb, "RGB")
    assert refusal(samples.saved(empty)) == (UnreadableError, CUT)
    empty.add_new("FloatPixelData", "OF", b"\x00" * 16)
    assert "floating-point" in refusal(samples.saved(empty))[1]
    for syntax, words in {
        "1.2.840.10008.1.2.4.100": "is a DICOM that holds a video (MPEG2 Main Profile / Main Level)",
        "1.2.840.10008.1.2.4.94": "stores its pixels as JPIP Referenced",
        "1.2.3.4": "stores its pixels as a private transfer syntax",
    }.items():
        made = samples.dataset(rgb, "RGB")
        assert words in refusal(samples.saved(made, syntax))[1]
    for more, words in {
        "YBR_PARTIAL_420": "has colours of the kind 'YBR_PARTIAL_420'",
        "YBR_RCT": "stores its pixels in a way that is not supported",
    }.items():
        assert words in refusal(samples.make(rgb, more))[1]
    assert "holds 32-bit pixels" in refusal(samples.make(GREY8.astype(np.uint32), "MONOCHROME2", 32))[1]
    assert "more than 8 bits" in refusal(_twelve_bit_jpeg())[1]


def _twelve_bit_jpeg() -> bytes:
    made = samples.dataset(GREY12, "MONOCHROME2", 12)
    made.add_new("PixelData", "OB", encapsulate([b"\xff\xd8\xff\xd9"]))
    return samples.saved(made, "1.2.840.10008.1.2.4.70")


def test_caps_hold_before_anything_is_decoded() -> None:
    made = samples.dataset(samples.colour()[None], "RGB", NumberOfFrames=20_000)
    made.add_new("PixelData", "OB", b"\x00" * 8)
    assert refusal(samples.saved(made)) == (TooLargeError, "the picture has 20000 frames; the cap is 10000")
    made.NumberOfFrames, made.Rows, made.Columns = 90, 4000, 4000
    assert "together 1440 million; the cap is 400 million" in refusal(samples.saved(made))[1]
    made.NumberOfFrames, made.Rows, made.Columns = 1, 40_000, 40_000
    made["PixelData"].value = encapsulate([b"none"])
    assert refusal(samples.saved(made, "rle"))[0] is TooLargeError


def test_deflate_bombs_do_not_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceveil.media.dicom_file._INFLATED_CAP", 1 << 16)
    data = samples.make(np.zeros((1, 400, 400, 3), np.uint8), "RGB", syntax="deflated")
    assert refusal(data) == (TooLargeError, "the picture unfolds to more than 0 MiB")


@pytest.mark.parametrize("syntax", ["explicit", "deflated", "rle", "jpeg", "jpeg lossless", "jpeg-ls", "jpeg 2000"])
def test_cut_off_files_are_refused(syntax: str, capfd: pytest.CaptureFixture[str]) -> None:
    photometric = "YBR_FULL" if syntax == "jpeg" else "RGB"
    frames = np.stack([samples.colour(seed=s) for s in range(2)])
    data = samples.make(frames, photometric, syntax=syntax)
    for share in (0.2, 0.5, 0.8, 0.95, 0.99):
        kind, words = refusal(data[: int(len(data) * share)])
        assert kind is UnreadableError
        assert words in (CUT, DAMAGED)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("syntax", samples.SYNTAXES)
def test_damage_is_a_sentence_or_a_picture(syntax: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Any byte may be wrong: what comes out is an error of ours, or frames of the size that was announced."""
    photometric = "YBR_FULL" if syntax == "jpeg" else "RGB"
    data = samples.make(samples.colour(32, 33)[None], photometric, syntax=syntax)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(40):
        hurt = bytearray(data)
        for at in rng.integers(132, len(data), 3):
            hurt[at] = rng.integers(256)
        try:
            source = media.open(bytes(hurt))
            frames = list(source)
        except InputError as error:
            refused += str(error).startswith("the picture ")
        else:
            assert all((f.width, f.height) == source.info.size for f in frames)
    assert 0 < refused <= 40
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg lossless"])
def test_damage_inside_a_jpeg_is_found(syntax: str) -> None:
    pixels = samples.colour()
    made = samples.dataset(pixels[None], "YBR_FULL" if syntax == "jpeg" else "RGB")
    whole = samples.baseline(pixels) if syntax == "jpeg" else samples.lossless_jpeg(pixels)
    for at in range(1200, len(whole) - 300, 300):
        made.add_new("PixelData", "OB", encapsulate([whole[:at] + whole[at + 50 :]]))
        kind, words = refusal(samples.saved(made, syntax))
        assert kind is UnreadableError
        assert words in (CUT, DAMAGED)


def test_padding_in_front_of_a_jpegs_end_is_no_damage(tmp_path: Path) -> None:
    padded = samples.baseline(samples.colour())[:-2] + bytes(40) + b"\xff\xd9"
    made = samples.dataset(samples.colour()[None], "YBR_FULL")
    made.add_new("PixelData", "OB", encapsulate([padded]))
    _, again = written(samples.saved(made, "jpeg"), tmp_path / "out.dcm")
    assert again.pixel_array.shape == (32, 40, 3)


def test_nothing_is_printed_by_the_libraries(tmp_path: Path) -> None:
    """Also not by Python's logging, which prints warnings where nobody listens."""
    data = samples.make(samples.colour()[None], "RGB", syntax="jpeg 2000", SpecificCharacterSet="CANARY")
    (tmp_path / "cut.dcm").write_bytes(data[:-1000])
    (tmp_path / "odd.dcm").write_bytes(data)
    code = (
        "import faceveil.media as m\n"
        "from faceveil.errors import InputError\n"
        f"for name in ('cut', 'odd'):\n    try: list(m.open(r'{tmp_path}/' + name + '.dcm'))\n"
        "    except InputError as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("UnreadableError\n", "")


def test_without_the_extra_one_file_fails_and_says_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.dcm"
    source.write_bytes(samples.make(samples.colour()[None], "RGB"))
    monkeypatch.setitem(sys.modules, "pydicom.filereader", None)
    done = run(Task(source=source, output=tmp_path / "b.dcm"), Setup(policy=Policy()))
    assert done.status == "failed"
    assert done.reason == "is a DICOM, which needs pydicom and dicom-anonymizer — pip install 'faceveil[dicom]'"
    assert not (tmp_path / "b.dcm").exists()
