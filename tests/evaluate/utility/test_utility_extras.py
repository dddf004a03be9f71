"""What is made of faces and pictures after painting: landmarks, classes, and distances of sets and of pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "match"))

from made_recognisers import manifest

from faceveil.detect.runtime import Runtime
from faceveil.errors import MissingExtra, RequestError
from faceveil.evaluate.utility import faces, perceptual
from faceveil.evaluate.utility.extras import Extras
from faceveil.evaluate.utility.frechet import frechet
from faceveil.evaluate.utility.measure import Rows, measure
from faceveil.types import Regions

POINTS = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)


def regions(*shifts: tuple[float, float], landmarks: bool = True) -> Regions:
    """Faces of 40 px whose eyes lie 20 px apart, moved."""
    moves = np.array(shifts, np.float32).reshape(-1, 2)
    boxes = np.tile(np.array([0, 0, 40, 40], np.float32), (len(moves), 1)) + np.tile(moves, 2)
    points = POINTS + moves[:, None] if landmarks else None
    return Regions(boxes, np.ones(len(moves), np.float32), points)


# --- landmarks ------------------------------------------------------------------------------------------------------


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_landmarks_are_told_in_distances_of_the_eyes(right: float, down: float) -> None:
    before, after = regions((0, 0), (200, 0)), regions((500, 0), (200 + right, down))
    found = faces.again(before, after)
    assert found.tolist() == [-1, 1]
    assert faces.moved(before, after, found) == pytest.approx([np.hypot(right, down) / 20, 1], abs=1e-4)


def test_faces_without_landmarks_without_scale_or_without_a_twin_do_not_count() -> None:
    before = regions((0, 0))
    for after in (regions(), regions((90, 0)), regions((0, 0), landmarks=False)):
        assert faces.moved(before, after, faces.again(before, after)).tolist() == [0, 0]
    assert before.landmarks is not None
    profile = Regions(before.xyxy, before.score, before.landmarks * np.array([0.05, 1], np.float32))
    assert faces.moved(profile, before, faces.again(profile, before)).tolist() == [0, 0]


# --- classes --------------------------------------------------------------------------------------------------------


def test_a_class_stays_where_the_face_does(tmp_path: Path) -> None:
    # The made network's largest number is the brightest channel and quarter of the chip.
    network = faces.classifier(manifest(tmp_path, "align: {margin: 0}\n"), Runtime())
    before = np.zeros((60, 100, 3), np.uint8)
    before[:20, :20, 0] = before[20:40, 80:, 2] = 200
    after = before.copy()
    after[:20, :20] = (0, 250, 0)
    seen = regions((0, 0), (60, 0))
    assert faces.kept(network, before, before, seen).tolist() == [2, 2]
    assert faces.kept(network, before, after, seen).tolist() == [1, 2]
    assert faces.kept(network, before, after, regions()).tolist() == [0, 0]
    turned = faces.classifier(manifest(tmp_path), Runtime())
    assert faces.kept(turned, before, before, regions((0, 0), landmarks=False)).tolist() == [0, 0]


def test_features_must_be_compared_by_their_length(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    with pytest.raises(RequestError, match="compared by their length, too — metric: euclidean"):
        faces.features(path, Runtime())
    with pytest.raises(RequestError, match="two manifests are called 'made'"):
        Extras(attributes=(path, path)).expect(Runtime())
    with pytest.raises(RequestError, match="gone"):
        Extras(features=(tmp_path / "gone.yml",)).expect(Runtime())


# --- sets of pictures -----------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(0, 2**31 - 1), st.integers(2, 60), st.integers(2, 60), st.integers(1, 20))
def test_the_distance_of_sets_is_that_of_scipy(seed: int, first: int, second: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(0, 1, (first, size)), rng.normal(1, 2, (second, size))
    means = [rows.mean(0) for rows in (one, other)]
    spreads = [np.atleast_2d(np.cov(rows.T)) for rows in (one, other)]
    apart = ((means[0] - means[1]) ** 2).sum() + spreads[0].trace() + spreads[1].trace()
    # A product of singular matrices has no well-conditioned root: a little of the unit matrix makes it one.
    firm = [spread + 1e-10 * np.eye(size) for spread in spreads]
    expected = apart - 2 * np.real(sqrtm(firm[0] @ firm[1]).trace())
    assert frechet(one, other) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert frechet(one, other) == pytest.approx(frechet(other, one), rel=1e-9)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_a_set_of_one_has_no_spread() -> None:
    with pytest.raises(ValueError, match="two rows"):
        frechet(np.zeros((1, 3)), np.zeros((5, 3)))


def test_figures_are_made_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    deep = rng.normal(size=(20, 4)).astype(np.float32)

    def rows(name: str, shift: float) -> Rows:
        pair = np.tile([1, 2], (20, 1))
        return Rows(
            name, deep, None, np.full((20, 5), np.nan), pair, pair * [shift, 1], np.full(20, shift),
            {"smile": pair}, {"net": deep + np.float32(shift)},
        )  # fmt: skip

    plain, painted = measure((rows("original", 0), rows("painted", 0.3)), np.repeat([0, 1], 10), None, _guess)
    assert (plain.landmarks, plain.attributes, plain.frechet, plain.fidelity) == (None, {}, {}, {})
    assert painted.landmarks is not None
    assert painted.landmarks.value == pytest.approx(0.15)
    assert painted.aligned == 40
    assert painted.attributes["smile"].value == 0.5
    assert painted.frechet["net"].value == pytest.approx(4 * 0.09, rel=1e-3)
    assert painted.fidelity["lpips"].value == pytest.approx(0.3)


def _guess(known: Any, label: Any, asked: Any, seed: int) -> Any:
    return np.zeros((len(asked), int(label.max()) + 1))


# --- LPIPS ----------------------------------------------------------------------------------------------------------


def test_without_its_parts_lpips_is_refused_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(perceptual, "find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match="pip install lpips"):
            perceptual.expect_lpips(tmp_path / "alex.pth")
    monkeypatch.setattr(perceptual, "find_spec", lambda name: True)
    with pytest.raises(RequestError, match="there is no file .* alexnet-owt-7be5be79.pth; nothing is fetched here"):
        perceptual.expect_lpips(tmp_path / "alex.pth")


@pytest.fixture
def trunk(tmp_path: Path) -> Path:
    """Weights of AlexNet by chance, as torchvision writes them."""
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    pytest.importorskip("lpips", reason="needs LPIPS: pip install lpips")
    from torchvision.models import alexnet  # noqa: PLC0415  (comes with lpips)

    torch.manual_seed(1)
    torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


# The package builds its trunk in a way that torchvision calls outdated.
@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_lpips_is_that_of_its_package(trunk: Path) -> None:
    import lpips  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from torchvision.models import alexnet  # noqa: PLC0415

    perceptual.expect_lpips(trunk)
    before, after = np.random.default_rng(0).integers(0, 256, (2, 80, 96, 3), dtype=np.uint8)
    theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    made = alexnet(weights=None)
    made.load_state_dict(torch.load(trunk, weights_only=True))
    for number in range(1, 6):
        for name, layer in getattr(theirs.net, f"slice{number}").named_children():
            layer.load_state_dict(made.features[int(name)].state_dict())
    planes = [torch.from_numpy(one.transpose(2, 0, 1).copy()).float()[None] / 127.5 - 1 for one in (before, after)]
    with torch.no_grad():
        expected = float(theirs(*planes))
    assert perceptual.unlike(before, after, trunk) == pytest.approx(expected, rel=1e-5)
    assert perceptual.unlike(before, before, trunk) == 0
    large = np.kron(before, np.ones((12, 12, 1), np.uint8))
    assert perceptual.unlike(large, np.kron(after, np.ones((12, 12, 1), np.uint8)), trunk) > 0
    tiny = np.zeros((3, 5, 3), np.uint8)
    assert perceptual.unlike(tiny, tiny, trunk) == 0


def test_a_file_that_does_not_fit_lpips_is_refused(trunk: Path) -> None:
    import torch  # noqa: PLC0415

    for content in ({"features.0.weight": torch.zeros(3)}, [1, 2]):
        torch.save(content, trunk)
        perceptual._network.cache_clear()
        with pytest.raises(RequestError, match="does not fit the network of LPIPS — AlexNet"):
            perceptual.expect_lpips(trunk)
    trunk.write_bytes(b"no weights")
    with pytest.raises(RequestError, match="does not fit"):
        perceptual.expect_lpips(trunk)
