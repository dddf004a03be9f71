"""Pipeline files of PeekingDuck, read as they stand: `nodes`, a list of names or of names with settings, in order.

Names, settings and defaults are those of its documentation (https://peekingduck.readthedocs.io) and configurations;
settings that were renamed are read under both names, with the newer default. What cannot be done as it says is refused
by name, what has no effect here is noted.

PeekingDuck covers the box that the detector draws. The file does not ask for so little, it only has no word for more,
and behind a black box of the face's size people are still named (docs/privacy.md): so the cover is our default, and
the mosaic's cells are larger than PeekingDuck's by as much. In the printed job,
`area: width=1,height=1,up=0,shape=box,regular=false` gives its geometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.jobs.complaints import complaint
from faceveil.jobs.texts import Named, Text, is_live
from faceveil.jobs.written import Where, Written

Share = Annotated[float, Field(ge=0, le=1)]

INPUT, MODEL, DRAW, OUTPUT = "input", "model", "draw", "output"


class Node(BaseModel):
    """One node's settings.

    stage: what it does; empty for nodes without effect, whose `idle` says why under the key "".
    idle: settings without effect here, each with the reason. refused: settings that are honoured only while off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    stage: ClassVar[str] = ""
    idle: ClassVar[dict[str, str]] = {}
    refused: ClassVar[dict[str, str]] = {}


class Size(BaseModel):
    """A size that pictures or windows may be brought to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do_resizing: bool = False
    width: int = 1280
    height: int = 720

    def __bool__(self) -> bool:
        return self.do_resizing


class Input(Node):
    """What all inputs share."""

    stage = INPUT
    idle = {
        "saved_video_fps": "frames keep their own times",
        "frames_log_freq": "progress is shown by time",
        "threading": "reading ahead goes without saying",
        "buffering": "files lose no frame, and what is live waits no longer than its delay",
    }
    refused = {
        "mirror_image": "pictures are not mirrored",
        "resize": "pictures keep their size",
    }

    source: Named
    """File, folder, camera or URL."""
    filename: Text = "video.mp4"
    """Name of the file that a camera or URL is written to."""
    mirror_image: bool = False
    """Must be off."""
    resize: Size = Size()
    """Must be off."""
    saved_video_fps: int = Field(10, validation_alias=AliasChoices("saved_video_fps", "fps_saved_output_video"))
    """No effect."""
    frames_log_freq: int = 100
    """No effect."""
    threading: bool = False
    """No effect."""
    buffering: bool = Field(False, validation_alias=AliasChoices("buffering", "buffer_frames"))
    """No effect."""


class Visual(Input):
    """The source. PeekingDuck's default, a film on its web site, is not fetched: name one."""


class Live(Input):
    """The source, by its older name."""

    source: Named = Field("0", validation_alias=AliasChoices("input_source", "source"))
    """Camera or URL."""
    filename: Text = "webcamfeed.mp4"
    """Name of the file that it is written to."""


class Recorded(Input):
    """The source, by its older name."""

    source: Named = Field("PeekingDuck/data/input", validation_alias=AliasChoices("input_dir", "source"))
    """File or folder."""


class Mtcnn(Node):
    """The detector `mtcnn`."""

    stage = MODEL
    idle = {"weights_parent_dir": "the weights come with faceveil"}

    min_size: int = Field(40, validation_alias=AliasChoices("min_size", "mtcnn_min_size"))
    """Smallest face in pixels."""
    scale_factor: Share = Field(0.709, validation_alias=AliasChoices("scale_factor", "mtcnn_factor"))
    """Step of the pyramid."""
    network_thresholds: tuple[Share, Share, Share] = Field(
        (0.6, 0.7, 0.7), validation_alias=AliasChoices("network_thresholds", "mtcnn_thresholds")
    )
    """Scores that candidates must reach in the three networks."""
    score_threshold: Share = Field(0.7, validation_alias=AliasChoices("score_threshold", "mtcnn_score"))
    """Faces below this score are dropped."""
    weights_parent_dir: Text | None = None
    """No effect."""

    def spec(self) -> plugins.Spec:
        """The detector of ours."""
        return plugins.Spec("mtcnn", self.model_dump(exclude={"weights_parent_dir"}))


class MosaicBbox(Node):
    """The method `mosaic`."""

    stage = DRAW

    mosaic_level: int = 7
    """Cells across and down."""

    def spec(self) -> plugins.Spec:
        """The method of ours."""
        return plugins.Spec("mosaic", {"cells": self.mosaic_level})


class BlurBbox(Node):
    """The method `blur`."""

    stage = DRAW

    blur_kernel_size: int = Field(50, ge=2, le=9_999, validation_alias=AliasChoices("blur_kernel_size", "blur_level"))
    """Pixels of its mean filter, from 2, as 1 hides nothing; becomes a Gaussian of the same standard deviation."""

    def spec(self) -> plugins.Spec:
        """The method of ours: the standard deviation of a mean over n pixels is sqrt((n^2 - 1) / 12)."""
        return plugins.Spec("blur", {"sigma_px": round(math.sqrt((self.blur_kernel_size**2 - 1) / 12), 2)})


class Screen(Node):
    """The output `preview`: a page in the browser. Of files that are written too, nothing is shown."""

    stage = OUTPUT
    idle = dict.fromkeys(("window_name", "window_size", "window_loc"), "the preview is a page in the browser")

    window_name: str = "PeekingDuck"
    """No effect."""
    window_size: Size = Size()
    """No effect."""
    window_loc: dict[str, int] = {"x": 0, "y": 0}
    """No effect."""


class MediaWriter(Node):
    """Files in a folder, under the names of their sources: no time of day is added."""

    stage = OUTPUT

    output_dir: Text = "PeekingDuck/data/output"
    """The folder."""


class Idle(Node):
    """A node without effect, whatever its settings."""

    model_config = ConfigDict(extra="ignore")


class Fps(Idle):
    """No effect: the preview shows the frame rate."""

    idle = {"": "the preview shows the frame rate by itself"}


class Legend(Idle):
    """No effect: nothing is written on pictures."""

    idle = {"": "nothing is written on pictures"}


NODES: dict[str, type[Node]] = {
    "input.visual": Visual,
    "input.live": Live,
    "input.recorded": Recorded,
    "model.mtcnn": Mtcnn,
    "draw.mosaic_bbox": MosaicBbox,
    "draw.blur_bbox": BlurBbox,
    "output.screen": Screen,
    "output.media_writer": MediaWriter,
    "dabble.fps": Fps,
    "draw.legend": Legend,
}

NOT_OURS = {"model.yolo_face": ("its weights do not come with faceveil", "model.mtcnn finds faces too")}
"""Nodes about faces that are known and not run: why, and what to write instead."""

LACKS = {
    INPUT: "an input before it, such as input.visual",
    MODEL: "a model before it that finds faces, such as model.mtcnn",
    DRAW: "a node before it that covers faces, such as draw.mosaic_bbox",
}
"""What the stage after each one needs."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One node of a file: its settings and where they stand."""

    name: str
    node: Node
    where: Where


def translated(written: Written) -> tuple[Written, tuple[str, ...]]:
    """The job that a pipeline file of PeekingDuck describes, in our fields at its lines; notes on what has no effect.

    Raises:
        RequestError: a node or setting is unknown or refused, or the order makes no sense.
    """
    steps = [_step(written, i) for i in range(_count(written))]
    _expect_order(written, steps)
    job = _Job(written)
    for step in steps:
        job.take(step)
    job.place()
    return Written(written.name, job.said, job.lines), tuple(job.notes)


class _Job:
    """Our fields, as they are gathered from nodes in order."""

    def __init__(self, written: Written) -> None:
        self.said: dict[str, Any] = {}
        self.lines: dict[Where, int] = {(): 1}
        self.notes: list[str] = []
        self._written = written
        self._input: Input | None = None
        self._shown: _Step | None = None
        self._saved: _Step | None = None

    def take(self, step: _Step) -> None:
        """One node more."""
        self.notes += _notes(self._written, step)
        match step.node:
            case Input():
                self._input = step.node
                self._say("source", step.node.source, (*step.where, "source"))
            case Mtcnn():
                self._say("detector", _plugin(self._written, step, plugins.DETECT, step.node.spec()), step.where)
            case MosaicBbox() | BlurBbox():
                self._say("method", _plugin(self._written, step, plugins.DEIDENTIFY, step.node.spec()), step.where)
            case Screen():
                self._shown = step
            case MediaWriter():
                self._saved = step

    def place(self) -> None:
        """The outputs, when all nodes are known: they depend on each other, and on whether the source is live."""
        live = self._input is not None and is_live(self._input.source)
        shown, saved, places = self._shown, self._saved, []
        if shown is not None and saved is not None and not live:
            what = "output.screen has no effect: files that are written are not shown meanwhile"
            self.notes.append(self._written.note(shown.where, what))
        elif shown is not None:
            places.append("preview")
            self._say("outputs", places, shown.where)
            if not live:
                self._say("live", {}, shown.where)
        if saved is not None and isinstance(saved.node, MediaWriter) and self._input is not None:
            folder = saved.node.output_dir
            places.append(str(Path(folder, self._input.filename)) if live else folder)
            self._say("outputs", places, (*saved.where, "output_dir"))

    def _say(self, field: str, value: object, where: Where) -> None:
        self.said[field] = value
        self.lines[field,] = self._written.line(where)


def _count(written: Written) -> int:
    """How many nodes there are."""
    for name in written.value:
        if name != "nodes":
            raise written.error((name,), f"there is no field '{name}' beside 'nodes', the list of PeekingDuck's nodes")
    nodes = written.value["nodes"]
    if not isinstance(nodes, list) or not nodes:
        raise written.error(("nodes",), "nodes: it must be a list such as '- input.visual: {source: clip.mp4}'")
    return len(nodes)


def _step(written: Written, i: int) -> _Step:
    name, settings, where = _named(written, i)
    if name in NOT_OURS:
        reason, hint = NOT_OURS[name]
        raise written.error(where, f"{name} is not run here: {reason}", hint=hint)
    if name not in NODES:
        hint = plugins.suggest(name, list(NODES))
        raise written.error(where, f"no node of PeekingDuck that is run here is called '{name}'", hint=hint)
    if not isinstance(settings, dict):
        raise written.error(where, f"{name}: its settings must be names with values")
    try:
        node = NODES[name](**settings)
    except ValidationError as error:
        raise complaint(written, NODES[name], error, at=where, called=name) from None
    for setting, reason in node.refused.items():
        if getattr(node, setting):
            raise written.error((*where, setting), f"{name}: {setting} is not done here: {reason}")
    return _Step(name, node, where)


def _named(written: Written, i: int) -> tuple[str, Any, Where]:
    """A node's name, its settings, and where they stand."""
    node = written.value["nodes"][i]
    if isinstance(node, str):
        return node, {}, ("nodes", i)
    if not isinstance(node, dict):
        raise written.error(("nodes", i), "a node is a name such as model.mtcnn, or a name with its settings")
    if len(node) != 1:
        names = " and ".join(f"'{name}'" for name in node) or "nothing"
        raise written.error(("nodes", i), f"a node is one name, got {names}", hint="indent the settings below the name")
    ((name, settings),) = node.items()
    return name, {} if settings is None else settings, ("nodes", i, name)


def _expect_order(written: Written, steps: list[_Step]) -> None:
    """Input, model, draw and then outputs: the first three once, each output at most once."""
    order = [INPUT, MODEL, DRAW, OUTPUT]
    seen: dict[str, _Step] = {}
    for step in steps:
        stage = step.node.stage
        needed = order[: order.index(stage)] if stage else [INPUT]
        missing = next((earlier for earlier in needed if earlier not in seen), None)
        if missing is not None:
            raise written.error(step.where, f"{step.name} needs {LACKS[missing]}")
        other = seen.get(step.name if stage == OUTPUT else stage)
        if other is not None and stage:
            line = written.line(other.where)
            raise written.error(step.where, f"{step.name} is one too many: there is {other.name} in line {line}")
        if stage:
            seen[stage] = seen[step.name] = step
    last = steps[-1]
    if OUTPUT not in seen:
        raise written.error(last.where, f"after {last.name} there is no output, such as output.media_writer")


def _notes(written: Written, step: _Step) -> list[str]:
    """What of a node has no effect, as far as the file says it."""
    if not step.node.stage:
        return [written.note(step.where, f"{step.name} has no effect: {step.node.idle['']}")]
    return [
        written.note((*step.where, setting), f"{step.name}: {setting} has no effect: {reason}")
        for setting, reason in step.node.idle.items()
        if setting in step.node.model_fields_set
    ]


def _plugin(written: Written, step: _Step, group: str, spec: plugins.Spec) -> str:
    """The spec of ours, whole and checked."""
    try:
        return plugins.make(group, spec).spec
    except RequestError as error:
        raise written.error(step.where, f"{step.name}: {error.message}", hint=error.hint) from None
