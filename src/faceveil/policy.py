"""Policy: the one typed model behind YAML, command line and Python. The same fields, the same words everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.types import FACE

Preset = Literal["fast", "balanced", "thorough"]
Provider = Literal["cpu", "cuda", "openvino", "coreml"]
Shape = Literal["rounded", "ellipse", "box", "contour"]
JpegMode = Literal["auto", "lossless", "reencode"]
Metadata = Literal["technical", "all-but-identifying", "none"]
Audio = Literal["drop", "keep", "disguise"]
Codec = Literal["source", "h264", "hevc", "vp8", "vp9", "av1", "prores", "mjpeg"]
Hardware = Literal["nvenc", "qsv", "amf", "vaapi", "videotoolbox"]

DEFAULT = "DEFAULT"
"""In `methods`: all labels that are not named."""

_LABEL = re.compile(r"[A-Za-z0-9_-]+( [A-Za-z0-9_-]+)*")
_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Area(BaseModel):
    """How much of a face is covered, relative to the box of CenterFace (hairline to chin).

    The area matters as much as the method: from the face field trained attackers name 15.8 % [13.0, 18.8] of 79
    people behind a solid box of 1.0 and 1.3 % [0.7, 2.3] behind this cover (blackout control 1.3 %); with the
    surroundings 6.8 % [5.0, 8.7] (docs/privacy.md).
    """

    model_config = _CONFIG

    width: float = Field(1.8, ge=0.1, le=10)
    """Width of the cover in widths of the face."""
    height: float = Field(1.5, ge=0.1, le=10)
    """Height of the cover in heights of the face."""
    up: float = Field(0.06, ge=-1, le=1)
    """How far the centre moves up, in heights of the face: hair is above, clothes below."""
    shape: Shape = "rounded"
    """Outline: a rounded rectangle (superellipse), an ellipse, the box itself, or contour: the face's own outline from
    a detector that gives one, grown by width and height. It tells more about the face than a regular shape."""
    regular: bool = True
    """Fix the cover's aspect and snap its size and centre to steps, so that its geometry says little about the face.
    A contour is never regular."""

    @classmethod
    def named(cls, name: str) -> Area:
        """`face` (the default) or `head` (2.4 x 2.0: hair and neck too)."""
        if name == "face":
            return cls()
        if name == "head":
            return cls(width=2.4, height=2.0)
        raise ValueError(f"area is 'face', 'head' or settings such as width=1.8,height=1.5, got '{name}'")


class Policy(BaseModel):
    """What to look for, what to cover it with, and how far. Unknown fields are refused."""

    model_config = _CONFIG

    preset: Preset = "balanced"
    """How hard to look: fast (int8 at 640 px), balanced (int8 at 1280 px), thorough (six looks of three sizes, mirrored
    and leaning, that vote)."""
    detector: str | None = None
    """A detector's spec instead of the preset's, such as "mtcnn:min_size=20" or "union(thorough, yunet)"; in YAML also
    nested: {union: [centerface, {tiles: mtcnn}]}."""
    min_score: float | None = Field(None, ge=0, le=1)
    """What is found below this score is not covered, beside the detector's own threshold. Where a detector was
    measured, its scores are how likely a region is a face: the same for all of them."""
    allow_cloud: bool = False
    """Let detectors in the cloud have the originals, which leave this machine."""
    cover: tuple[str, ...] = (FACE,)
    """What is covered: face, plate, person, or a detector's word."""
    method: str = "veil"
    """The method's spec, such as "veil", "solid:color=black" or "mosaic:cells=4"."""
    methods: dict[str, str] = {}
    """Methods of what is to get another one, by label, such as {plate: solid}; DEFAULT stands for `method`."""
    area: Area = Area()
    """How much of a face is covered: face, head, or width, height, up, shape and regular."""
    seed: int | None = Field(None, ge=0)
    """Seed of random methods, for repeatable experiments; unset, the system's entropy is used."""
    provider: Provider = "cpu"
    """Where networks run: the CPU, or what is installed beside."""
    verify: bool | None = None
    """Look at each result for faces and leaks before it is published; unset, only `thorough` does."""
    metadata: Metadata = "technical"
    """What stays beside the pixels: the colour profile and the resolution; all-but-identifying adds camera settings as
    checked numbers, such as exposure and focal length; none drops all. Names, dates and places always go."""
    jpeg: JpegMode = "auto"
    """JPEG output: lossless rewrites only the blocks under the covers, reencode all; auto is lossless where the library
    is installed, unless the preset is fast."""
    audio: Audio = "drop"
    """Sound of videos: a voice identifies, so it goes unless it is kept, or disguised by another pitch: that is not
    anonymous."""
    extend: float = Field(0.5, ge=0, le=10)
    """Seconds that a face in a video stays covered before it is first seen and after it is last seen."""
    every: int | None = Field(None, ge=1, le=1000)
    """Look at every N-th frame of a video alone, and guess between; unset, at all that the preset asks for."""
    codec: Codec = "source"
    """Codec of videos; the source's own family unless named."""
    crf: float | None = Field(None, ge=0, le=63)
    """Quality of encoded video on the encoder's own scale, lower is better; unset, near the source."""
    encoder_preset: str | None = None
    """The video encoder's word for its speed, such as "medium"; unset, a fast one."""
    hardware: Hardware | None = None
    """Encode video on this hardware instead of the CPU."""
    keep_partial: bool = False
    """Keep what could be read of a video that ends damaged; it counts as failed all the same."""

    def __hash__(self) -> int:  # of all that it says: a mapping has no hash of its own
        return hash(self.model_dump_json())

    @model_validator(mode="before")
    @classmethod
    def _default_method(cls, settings: Any) -> Any:
        """`methods: {DEFAULT: solid}` is `method: solid`; where both are given, `methods` is refused below."""
        if not isinstance(settings, dict) or "method" in settings:
            return settings
        methods = settings.get("methods")
        if not isinstance(methods, Mapping) or DEFAULT not in methods:
            return settings
        named = {label: spec for label, spec in methods.items() if label != DEFAULT}
        return {**settings, "method": methods[DEFAULT], "methods": named}

    @field_validator("cover", mode="before", json_schema_input_type=tuple[str, ...] | str)
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, Mapping | Area) or (isinstance(value, str) and (value == "head" or "=" in value)):
            raise ValueError("cover says what is covered, such as face,plate; how much of a face is said by 'area'")
        return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value

    @field_validator("cover")
    @classmethod
    def _words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name what is to be covered, such as face,plate")
        for word in value:
            if not _LABEL.fullmatch(word) or word == DEFAULT:
                raise ValueError(f"'{word}' cannot name what is covered: write words such as face,plate")
        return tuple(dict.fromkeys(value))

    @field_validator("area", mode="before", json_schema_input_type=Area | str)
    @classmethod
    def _named_area(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if "=" not in value:
            return Area.named(value)
        try:
            return plugins.parse("area:" + value).settings
        except RequestError as error:
            raise ValueError(str(error)) from None

    @field_validator("detector", mode="before", json_schema_input_type=str | dict[str, Any] | None)
    @classmethod
    def _nested_spec(cls, value: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        try:
            return plugins.written(value)
        except RequestError as error:
            raise ValueError(str(error)) from None

    @field_validator("method", "detector")
    @classmethod
    def _readable_spec(cls, value: str | None) -> str | None:
        if value is not None:
            _expect_spec(value)
        return value

    @field_validator("methods")
    @classmethod
    def _of_what_is_covered(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if DEFAULT in value:
            raise ValueError("'method' is given, and DEFAULT says the same: leave one of them out")
        for label, spec in value.items():
            if label not in info.data.get("cover", value):  # a method for what stays visible is a mistake that shows
                covered = ",".join((*info.data["cover"], label))
                raise ValueError(f"'{label}' is not covered, so it has no method: say cover={covered}")
            _expect_spec(spec)
        return value

    def method_of(self, label: str) -> str:
        """The spec of the method for what has a label."""
        return self.methods.get(label, self.method)

    @property
    def used(self) -> tuple[str, ...]:
        """The specs of the methods for all that is covered, each once."""
        return tuple(dict.fromkeys(map(self.method_of, self.cover)))

    @property
    def jpeg_mode(self) -> JpegMode:
        """How JPEGs are written: `fast` does not pay for what is lossless, a third of its time, unless asked to."""
        return "reencode" if self.jpeg == "auto" and self.preset == "fast" else self.jpeg

    @property
    def verifies(self) -> bool:
        """Whether results are looked at before they are published."""
        return self.preset == "thorough" if self.verify is None else self.verify

    @classmethod
    def of(cls, **settings: Any) -> Policy:
        """A policy from keyword settings. Raises `RequestError` in one sentence instead of pydantic's report."""
        try:
            return cls(**settings)
        except ValidationError as error:
            raise RequestError(f"policy: {plugins.explain(error)}", hint=plugins.known(cls, error)) from None

    @classmethod
    def read(cls, path: str | Path) -> Policy:
        """The policy in a YAML file. Raises `RequestError` that names the file and the wrong field."""
        return cls.of(**read_yaml(path))


def _expect_spec(text: str) -> None:
    """Raises `ValueError` where a spec cannot be read."""
    try:
        plugins.parse(text)
    except RequestError as error:
        raise ValueError(str(error)) from None


def read_yaml(path: str | Path, kind: str = "the policy", example: str = "method: veil") -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping. kind, example: for complaints."""
    import yaml  # noqa: PLC0415  (15 ms that workers and most commands do not need)

    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RequestError(f"cannot read {kind} {path}: {reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise RequestError(f"{path} is not YAML: {getattr(error, 'problem', 'it cannot be read')}{where}") from None
    except RecursionError:
        raise RequestError(f"{path} goes too deep") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise RequestError(f"{path} must hold settings such as '{example}', got {type(loaded).__name__}")
    return loaded
