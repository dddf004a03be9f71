"""PeekingDuck's pipeline files: as they stand, or refused by node, setting and line before the first frame."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.jobs import parse
from faceveil.jobs.peekingduck import NODES, BlurBbox, MediaWriter, MosaicBbox, Mtcnn
from faceveil.policy import Area

HEAD = "nodes:\n- input.visual: {source: 0}\n"
WHOLE = HEAD + "- model.mtcnn\n- draw.mosaic_bbox\n- output.screen\n"


def test_defaults_are_those_of_the_documentation() -> None:
    """https://peekingduck.readthedocs.io, model.mtcnn, draw.mosaic_bbox, draw.blur_bbox, output.media_writer."""
    mtcnn = Mtcnn()
    assert (mtcnn.min_size, mtcnn.scale_factor, mtcnn.score_threshold) == (40, 0.709, 0.7)
    assert mtcnn.network_thresholds == (0.6, 0.7, 0.7)
    assert MosaicBbox().mosaic_level == 7
    assert BlurBbox().blur_kernel_size == 50
    assert MediaWriter().output_dir == "PeekingDuck/data/output"


def test_the_cover_is_ours() -> None:
    printed = parse(WHOLE, "p.yml").job.text
    theirs = parse(printed + "area: width=1,height=1,up=0,shape=box,regular=false\n", "job.yml").job
    assert parse(printed, "job.yml").job.area == Area()
    assert theirs.area == Area(width=1, height=1, up=0, shape="box", regular=False)


@pytest.mark.parametrize("size", [2, 7, 50, 51, 300])
def test_a_blur_spreads_as_far_as_the_mean_filter(size: int) -> None:
    made = plugins.make(plugins.DEIDENTIFY, BlurBbox(blur_kernel_size=size).spec())
    spread = np.arange(size).std()  # of a mean over so many pixels
    assert math.isclose(getattr(made, "sigma_px"), spread, abs_tol=0.006)  # noqa: B009  (a plug-in's own field)


def test_older_names_mean_the_same() -> None:
    old = (
        "nodes:\n- input.live: {input_source: 1, fps_saved_output_video: 12}\n- model.mtcnn: {mtcnn_min_size: 20}\n"
        "- draw.blur_bbox: {blur_level: 9}\n- output.screen\n"
    )
    new = (
        "nodes:\n- input.visual: {source: 1, saved_video_fps: 12}\n- model.mtcnn: {min_size: 20}\n"
        "- draw.blur_bbox: {blur_kernel_size: 9}\n- output.screen:\n"
    )
    assert parse(old, "p.yml").job == parse(new, "p.yml").job


def test_what_has_no_effect_is_noted_with_its_line() -> None:
    text = (
        "nodes:\n- input.visual: {source: 0, threading: false}\n- dabble.fps: {anything: 1}\n"
        "- model.mtcnn:\n    min_size: 30\n    weights_parent_dir: null\n- draw.mosaic_bbox\n- draw.legend\n"
        "- output.screen:\n    window_loc: {x: 1, y: 2}\n"
    )
    assert [note.partition(" has no effect: ")[0] for note in parse(text, "p.yml").notes] == [
        "p.yml, line 2: input.visual: threading",
        "p.yml, line 3: dabble.fps",
        "p.yml, line 6: model.mtcnn: weights_parent_dir",
        "p.yml, line 8: draw.legend",
        "p.yml, line 10: output.screen: window_loc",
    ]
    assert not parse(WHOLE, "p.yml").notes


def test_what_is_written_from_files_is_not_shown() -> None:
    text = WHOLE.replace("source: 0", "source: clip.mp4") + "- output.media_writer: {output_dir: out}\n"
    loaded = parse(text, "p.yml")
    assert (loaded.job.outputs, loaded.job.live) == (("out",), None)
    assert loaded.notes[0].startswith("p.yml, line 5: output.screen has no effect")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nodes:\n", "line 1: nodes: it must be a list such as '- input.visual"),
        ("nodes: []\n", "line 1: nodes: it must be a list"),
        ("nodes: [3]\n", "line 1: a node is a name such as model.mtcnn, or a name with its settings"),
        (WHOLE + "report: r.json\n", "line 6: there is no field 'report' beside 'nodes'"),
        ("nodes:\n- input.visual:\n  source: 0\n", "line 2: a node is one name, got 'input.visual' and 'source' — ind"),
        (HEAD + "- model.mtcn\n", "line 3: no node of PeekingDuck that is run here is called 'model.mtcn' — did you"),
        (HEAD + "- model.posenet\n", "line 3: no node of PeekingDuck that is run here is called 'model.posenet' — "),
        (
            HEAD + "- model.yolo_face\n",
            "line 3: model.yolo_face is not run here: its weights do not come with faceveil",
        ),
        (HEAD + "- model.mtcnn: 3\n", "line 3: model.mtcnn: its settings must be names with values"),
        (
            HEAD + "- model.mtcnn:\n    min_sise: 3\n",
            "line 4: model.mtcnn: there is no field 'min_sise' — did you mean",
        ),
        (HEAD + "- model.mtcnn: {min_size: big}\n", "line 3: model.mtcnn: min_size: input should be a valid integer"),
        (HEAD + "- model.mtcnn: {min_size: 3}\n- draw.blur_bbox\n- output.screen\n", "line 3: model.mtcnn: detector"),
        (HEAD + "- model.mtcnn: {min_size: 30, mtcnn_min_size: 40}\n", "line 3: model.mtcnn: there is no field"),
        (HEAD + "- model.mtcnn:\n    network_thresholds: [0.6, 0.7]\n", "line 4: model.mtcnn: network_thresholds: it"),
        (
            HEAD + "- model.mtcnn: {score_threshold: 1.5}\n",
            "line 3: model.mtcnn: score_threshold: input should be less",
        ),
        ("nodes:\n- input.visual\n", "line 2: input.visual: the field 'source' is missing"),
        ("nodes:\n- input.visual: {source: true}\n", "line 2: input.visual: source: input should be a valid string"),
        (
            "nodes:\n- input.visual:\n    source: 0\n    mirror_image: yes\n",
            "line 4: input.visual: mirror_image is not",
        ),
        (
            "nodes:\n- input.visual:\n    source: 0\n    resize: {do_resizing: true}\n",
            "line 4: input.visual: resize is ",
        ),
        ("nodes:\n- model.mtcnn\n", "line 2: model.mtcnn needs an input before it, such as input.visual"),
        ("nodes:\n- draw.legend\n", "line 2: draw.legend needs an input before it"),
        (HEAD + "- draw.mosaic_bbox\n", "line 3: draw.mosaic_bbox needs a model before it that finds faces"),
        (HEAD + "- output.screen\n", "line 3: output.screen needs a model before it that finds faces"),
        (
            HEAD + "- model.mtcnn\n- output.screen\n- draw.blur_bbox\n",
            "line 4: output.screen needs a node before it that",
        ),
        (HEAD + "- model.mtcnn\n- draw.blur_bbox\n", "line 4: after draw.blur_bbox there is no output, such as output"),
        (HEAD, "line 2: after input.visual there is no output"),
        (WHOLE + "- input.live\n", "line 6: input.live is one too many: there is input.visual in line 2"),
        (WHOLE + "- draw.blur_bbox\n", "line 6: draw.blur_bbox is one too many: there is draw.mosaic_bbox in line 4"),
        (WHOLE + "- output.screen\n", "line 6: output.screen is one too many: there is output.screen in line 5"),
        (
            HEAD + "- model.mtcnn\n- draw.blur_bbox: {blur_level: 1}\n",
            "line 4: draw.blur_bbox: blur_level: input should",
        ),
        (WHOLE.replace("mosaic_bbox", "mosaic_bbox: {mosaic_level: 999}"), "line 4: draw.mosaic_bbox: method 'mosaic'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_line(text: str, complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text, "p.yml")
    assert str(caught.value).startswith("p.yml, " + complaint)


@pytest.mark.parametrize("name", NODES)
def test_every_setting_is_described(name: str) -> None:
    assert NODES[name].__doc__
    assert all(info.description for info in NODES[name].model_fields.values())
