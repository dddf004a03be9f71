"""The nouns, fixed once: numpy arrays in frozen dataclasses, checked on construction.

Conventions, valid everywhere in the package:

- pixels: RGB, shape (H, W, 3), uint8 or uint16, upright (orientation tags applied); alpha separate, (H, W).
- boxes: xyxy, float32, shape (n, 4), source pixels, half-open ([x1, x2) x [y1, y2)), around the face from
  hairline to chin as CenterFace draws it; every detector converts its own convention to this one.
- score: float32, shape (n,), in [0, 1].
- landmarks: float32, shape (n, 5, 2): left eye, right eye, nose, left and right mouth corner, left and right
  as seen in the picture; NaN for regions that have none, such as plates beside faces.
- track: int64, shape (n,): the same number is the same face over the frames of a video.
- label: str, shape (n,): what each region is, "face" unless a detector of other things says otherwise.
- outline: float32, shape (n, k, 2): a polygon around each face, from detectors that know its shape; NaN for regions
  that have none.
- time: `Fraction` seconds from the start of the stream.
- planes: a video's own samples, as stored, with the orientation beside them; boxes are upright even there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]
    Floats = NDArray[np.float32]
    Mask = NDArray[np.bool_]


FACE = "face"
LABELS = (FACE, "plate", "person", "screen")
"""What detectors of this package look for; a detector of the user's own may have other words."""


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _expect(name: str, array: NDArray[Any], shape: tuple[int | str, ...]) -> None:
    ok = array.ndim == len(shape) and all(
        isinstance(want, str) or got == want for got, want in zip(array.shape, shape, strict=True)
    )
    if not ok:
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")


def _floats(name: str, values: object, shape: tuple[int | str, ...], *, gaps: bool = False) -> Floats:
    """The values as a read-only array of a shape. gaps: whether all of a row may be NaN."""
    array = np.array(values, dtype=np.float32)  # a copy: the caller's array stays the caller's
    if array.size == 0 and 0 in (array.shape or (0,)):
        array = array.reshape([0 if isinstance(s, str) else s for s in shape])
    _expect(name, array, shape)
    if not np.isfinite(array).all():
        whole = np.isnan(array).reshape(len(array), -1).all(1) if gaps else np.zeros(len(array), bool)
        if not np.isfinite(array[~whole]).all():
            raise ValueError(f"{name} must be finite" + (", or NaN for all of a region" if gaps else ""))
    return _read_only(array)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture, or one moment of a video.

    pixels: RGB, (H, W, 3), uint8 or uint16, upright. The frame keeps a read-only view.
    alpha: (H, W) of the same dtype, or None.
    index: position in its source, from 0.
    time: seconds from the start, None for still pictures.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    index: int = 0
    time: Fraction | None = None

    def __post_init__(self) -> None:
        _expect("pixels", self.pixels, ("H", "W", 3))
        if self.pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels must be uint8 or uint16, got {self.pixels.dtype}")
        if 0 in self.pixels.shape:
            raise ValueError(f"pixels must not be empty, got shape {self.pixels.shape}")
        object.__setattr__(self, "pixels", _read_only(self.pixels))
        if self.alpha is not None:
            _expect("alpha", self.alpha, self.pixels.shape[:2])
            if self.alpha.dtype != self.pixels.dtype:
                raise ValueError(f"alpha must be {self.pixels.dtype} like pixels, got {self.alpha.dtype}")
            object.__setattr__(self, "alpha", _read_only(self.alpha))

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


Matrix = Literal["bt601", "bt709", "bt2020", "rgb", "grey"]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One moment of a video in the video's own samples, as stored: not yet upright, not yet RGB.

    planes: read-only arrays, uint8, or uint16 where `bits` > 8: luma (H, W) and two of chroma, or one for grey, or
        green, blue, red for matrix "rgb". Chroma has ceil(H / subsampling[1]) rows and ceil(W / subsampling[0])
        columns.
    bits: of a sample, 8 to 16, in the low bits of each. subsampling: (2, 2) for 4:2:0, (2, 1) for 4:2:2, (1, 1).
    matrix: how luma and chroma make RGB (ITU-T H.273; "bt2020" is its non-constant luminance). full: full range.
    orientation: EXIF's number, 1 to 8, of what makes it upright.
    index: position in the video, from 0. time, duration: seconds, exactly; the duration is None where nobody says.
    """

    planes: tuple[Pixels, ...]
    bits: int = 8
    subsampling: tuple[int, int] = (2, 2)
    matrix: Matrix = "bt709"
    full: bool = False
    orientation: int = 1
    index: int = 0
    time: Fraction = Fraction(0)
    duration: Fraction | None = None

    def __post_init__(self) -> None:
        count = 1 if self.matrix == "grey" else 3
        if len(self.planes) != count:
            raise ValueError(f"planes must be {count} for matrix '{self.matrix}', got {len(self.planes)}")
        first = self.planes[0]
        _expect("luma", first, ("H", "W"))
        if 0 in first.shape:
            raise ValueError(f"luma must not be empty, got shape {first.shape}")
        if self.orientation not in range(1, 9):
            raise ValueError(f"orientation must be 1 to 8, got {self.orientation}")
        across, down = self.subsampling
        chroma = (-(-first.shape[0] // down), -(-first.shape[1] // across))
        wanted = np.uint8 if self.bits == 8 else np.uint16
        for plane in self.planes:
            _expect("plane", plane, first.shape if plane is first else chroma)
            if plane.dtype != wanted:
                raise ValueError(f"planes of {self.bits} bits must be {wanted.__name__}, got {plane.dtype}")
        object.__setattr__(self, "planes", tuple(_read_only(plane) for plane in self.planes))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture: that of boxes and plans."""
        height, width = self.planes[0].shape
        return (height, width) if self.orientation > 4 else (width, height)


def _no_boxes() -> Floats:
    return np.zeros((0, 4), np.float32)


def _no_scores() -> Floats:
    return np.zeros((0,), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Where faces are, or other things to cover: n boxes with their scores and what else a detector knows of them.

    xyxy: float32 (n, 4), source pixels, half-open; may reach beyond the picture.
    score: float32 (n,) in [0, 1].
    landmarks: float32 (n, 5, 2) in source pixels, NaN where a region has none, or None.
    track: int64 (n,), which face of a video each is, or None.
    label: str (n,), what each is, such as "plate"; None: all are faces.
    outline: float32 (n, k, 2) in source pixels, k >= 3 points around each face, NaN where a region has none, or None.
    """

    xyxy: Floats = field(default_factory=_no_boxes)
    score: Floats = field(default_factory=_no_scores)
    landmarks: Floats | None = None
    track: NDArray[np.int64] | None = None
    label: NDArray[np.str_] | None = None
    outline: Floats | None = None

    def __post_init__(self) -> None:
        xyxy = _floats("xyxy", self.xyxy, ("n", 4))
        score = _floats("score", self.score, ("n",))
        if len(score) != len(xyxy):
            raise ValueError(f"score must have one value for each of {len(xyxy)} boxes, got {len(score)}")
        if (xyxy[:, 2:] < xyxy[:, :2]).any():
            raise ValueError("xyxy must have x1 <= x2 and y1 <= y2")
        if ((score < 0) | (score > 1)).any():
            raise ValueError("score must be in [0, 1]")
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "score", score)
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", self._each("landmarks", self.landmarks, ("n", 5, 2)))
        if self.outline is not None:
            object.__setattr__(self, "outline", self._each("outline", self.outline, ("n", "k", 2)))
        if self.track is not None:
            track = np.array(self.track, np.int64)
            _expect("track", track, score.shape)
            object.__setattr__(self, "track", _read_only(track))
        if self.label is not None:
            label = np.array(self.label, np.str_)
            _expect("label", label, score.shape)
            object.__setattr__(self, "label", _read_only(label))

    def _each(self, name: str, values: Floats, shape: tuple[int | str, ...]) -> Floats:
        rows = _floats(name, values, shape, gaps=True)
        if len(rows) != len(self.xyxy):
            raise ValueError(f"{name} must have one row for each of {len(self.xyxy)} boxes, got {len(rows)}")
        return rows

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def labels(self) -> NDArray[np.str_]:
        """What each region is, (n,)."""
        return np.full(len(self), FACE) if self.label is None else self.label

    def __getitem__(self, keep: NDArray[Any] | slice) -> Regions:
        """The regions picked by a boolean mask, an index array or a slice."""
        return Regions(
            self.xyxy[keep],
            self.score[keep],
            None if self.landmarks is None else self.landmarks[keep],
            None if self.track is None else self.track[keep],
            None if self.label is None else self.label[keep],
            None if self.outline is None else self.outline[keep],
        )

    def of(self, label: str) -> Regions:
        """Those with a label."""
        if self.label is None:
            return self if label == FACE else self[:0]
        return self[self.label == label]

    def counts(self) -> dict[str, int]:
        """How many there are of each label that there is."""
        return dict(Counter(self.labels.tolist()))

    def mapped(self, scale: NDArray[Any], shift: NDArray[Any]) -> Regions:
        """The same regions in a picture where point p lies at scale * p + shift; both (2,), or (n, 2) for each."""
        scale, shift = np.asarray(scale, np.float32), np.asarray(shift, np.float32)
        around = self.xyxy.reshape(-1, 2, 2), self.landmarks, self.outline
        corners, marks, outline = (None if a is None else a * scale[..., None, :] + shift[..., None, :] for a in around)
        return replace(self, xyxy=np.asarray(corners).reshape(-1, 4), landmarks=marks, outline=outline)

    @classmethod
    def concatenate(cls, parts: list[Regions]) -> Regions:
        """All regions of `parts` in order; where a part has no landmarks or outlines and another one has, they are NaN.

        Tracks stay only where every non-empty part has them.
        """
        parts = [p for p in parts if len(p)]
        if not parts:
            return cls()
        tracks = [p.track for p in parts if p.track is not None]
        return cls(
            np.concatenate([p.xyxy for p in parts]),
            np.concatenate([p.score for p in parts]),
            _stacked([p.landmarks for p in parts], [len(p) for p in parts]),
            np.concatenate(tracks) if len(tracks) == len(parts) else None,
            np.concatenate([p.labels for p in parts]) if any(p.label is not None for p in parts) else None,
            _stacked([p.outline for p in parts], [len(p) for p in parts]),
        )


def _stacked(parts: list[Floats | None], counts: list[int]) -> Floats | None:
    """Points of several parts, (n, k, 2), with NaN for the parts that have none; None where no part has any."""
    most = max((part.shape[1] for part in parts if part is not None), default=0)
    if not most:
        return None
    filled = (
        np.full((n, most, 2), np.nan, np.float32) if p is None else padded(p, most)
        for p, n in zip(parts, counts, strict=True)
    )
    return np.concatenate(list(filled))


def padded(outline: Floats, points: int) -> Floats:
    """Outlines (n, k, 2) with more points, (n, points, 2): the last one again and again, so their shape is the same."""
    more = points - outline.shape[1]
    return np.concatenate([outline, outline[:, -1:].repeat(more, axis=1)], axis=1) if more else outline


@dataclass(frozen=True, slots=True, eq=False)
class FramePlan:
    """What is to be covered in one frame of one source.

    regions: the faces, in the order of the plan.
    methods: one method spec for each region, as text ("veil", "mosaic:cells=4", "keep").
    index, time: which frame. size: (width, height) of the upright frame, as a check on replay.
    """

    regions: Regions
    methods: tuple[str, ...]
    size: tuple[int, int]
    index: int = 0
    time: Fraction | None = None

    def __post_init__(self) -> None:
        if len(self.methods) != len(self.regions):
            raise ValueError(
                f"methods must have one entry for each of {len(self.regions)} regions, got {len(self.methods)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be covered in one source, frame by frame: the result of `analyse`, the input of `apply`.

    A plan is personal data: box coordinates alone identify 7 % of 79 people (docs/privacy.md).
    source: the path or a name; digest: SHA-256 of the source's bytes (empty for arrays), checked on replay.
    detector, policy: what made it, as text, for the record.
    """

    source: str
    frames: tuple[FramePlan, ...]
    digest: str = ""
    detector: str = ""
    policy: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[FramePlan]:
        return iter(self.frames)

    @property
    def faces(self) -> int:
        """Faces over all frames, kept ones included."""
        return self.counts().get(FACE, 0)

    def counts(self) -> dict[str, int]:
        """Regions over all frames by their labels, kept ones included."""
        total: Counter[str] = Counter()
        for frame in self.frames:
            total.update(frame.regions.counts())
        return dict(total)
