"""Sessions, providers, presets: what is asked for is what runs, or the cure is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from faceveil.detect import PRESETS, build, runtime
from faceveil.detect.runtime import Runtime
from faceveil.errors import Exit, MissingExtra, RequestError
from faceveil.models import store
from faceveil.types import Frame

ABSENT = [name for name in runtime.PROVIDERS if name not in runtime.providers()]


def test_importing_the_room_loads_no_runtime() -> None:
    code = (
        "import sys, faceveil.detect as d; d.build('thorough', None, __import__('faceveil.detect.runtime', "
        "fromlist=['Runtime']).Runtime()) if 'build' in sys.argv else None; "
        "print(*sorted({'cv2', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    built = subprocess.run([sys.executable, "-c", code, "build"], capture_output=True, text=True, check=True)
    assert built.stdout.split() == ["cv2"]


def test_cpu_is_there_and_sessions_are_made_once() -> None:
    assert "cpu" in runtime.providers()
    one = runtime.session("mtcnn_pnet", Runtime(threads=1))
    assert one is runtime.session("mtcnn_pnet", Runtime(threads=1))
    assert cast("Any", one).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("provider", ABSENT)
def test_an_absent_provider_is_never_replaced_in_silence(provider: str) -> None:
    with pytest.raises(MissingExtra) as caught:
        build("fast", None, Runtime(provider))(Frame(np.zeros((8, 8, 3), np.uint8)))
    assert caught.value.exit_code is Exit.MISSING_PART
    assert provider in str(caught.value)
    assert caught.value.hint == runtime.CURES[provider]


@pytest.mark.skipif("openvino" in ABSENT, reason="needs the extra 'openvino'")
@pytest.mark.parametrize(("spec", "pixels"), [("centerface:precision=fp32", 0.1), ("centerface", 3), ("mtcnn", 0.1)])
def test_openvino_finds_what_the_default_finds(spec: str, pixels: float, portrait: Path) -> None:
    frame = Frame(np.asarray(Image.open(portrait)))
    ours, theirs = (build("fast", spec, Runtime(provider, 1))(frame) for provider in ("cpu", "openvino"))
    assert theirs.xyxy == pytest.approx(ours.xyxy, abs=pixels)
    assert theirs.score == pytest.approx(ours.score, abs=0.03)


def test_unknown_provider_and_threads() -> None:
    with pytest.raises(RequestError, match="no provider is called 'tpu'"):
        Runtime("tpu")
    with pytest.raises(RequestError, match="threads must be 0"):
        Runtime(threads=-1)


def test_a_missing_model_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingExtra, match="the model 'nothing' is not installed"):
        runtime.session("nothing", Runtime())
    monkeypatch.setattr(store, "_OWN", tmp_path)  # an installation without its networks
    with pytest.raises(MissingExtra, match=r"the model centerface.onnx is missing.*tools\.models"):
        runtime.session("centerface", Runtime(threads=3))
    with pytest.raises(MissingExtra, match=r"manifest.json is missing.*tools\.models"):
        store.models()


def test_what_a_network_takes_and_gives_is_told_alike() -> None:
    for provider in (name for name in ("cpu", "openvino") if name not in ABSENT):
        network = runtime.session("centerface", Runtime(provider, 1))
        (port,) = network.get_inputs()
        assert (port.name, port.type) == ("pixels", "tensor(uint8)")
        assert port.shape[1] == 3
        assert not isinstance(port.shape[2], int)
        assert [port.name for port in network.get_outputs()] == ["heatmap", "size", "offset", "landmarks"]


def test_unknown_preset() -> None:
    with pytest.raises(RequestError, match="no preset is called 'slow'"):
        build("slow", None, Runtime())


def test_a_detector_replaces_the_preset_and_min_score_filters(portrait: Path) -> None:
    frame = Frame(np.asarray(Image.open(portrait)))
    assert build("balanced", "mtcnn:min_size=60", Runtime()).spec == "mtcnn:min_size=60"
    loose = build("balanced", "centerface:size=320,score_threshold=0.05", Runtime(threads=1))
    strict = build("balanced", "centerface:size=320,score_threshold=0.05", Runtime(threads=1), min_score=0.5)
    assert len(loose(frame)) > len(strict(frame)) == 1
    assert strict.spec == loose.spec
    assert strict.gives_landmarks


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_specs_that_read_back(preset: str) -> None:
    made = build(preset, None, Runtime())
    assert build(preset, made.spec, Runtime()).spec == made.spec
