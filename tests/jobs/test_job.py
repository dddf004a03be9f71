"""Jobs: one typed file, printed as it is read; whatever is wrong is said with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from faceveil.errors import RequestError
from faceveil.jobs import Files, Stream, decide, parse, read, schema
from faceveil.jobs.peekingduck import NODES
from faceveil.live import LiveSettings
from faceveil.policy import Area, Policy

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOLDEN = sorted((HERE / "golden").glob("*.job.yml"))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
def test_jobs_are_printed_as_they_always_were(golden: Path) -> None:
    printed = golden.read_text(encoding="utf-8")
    written = read(golden.with_name(golden.name.replace(".job.yml", ".yml"))).job
    assert written.text == printed
    assert read(golden).job == written


def test_a_job_holds_a_policy() -> None:
    job = parse("source: a.jpg\nmethod: solid\narea: head\nlive: {delay: 1}\n", "job.yml").job
    assert job.policy == Policy.of(method="solid", area="head")
    assert job.area == Area.named("head")
    assert job.live == LiveSettings(delay=1)
    assert job.source == ("a.jpg",)


def test_the_schema_is_the_published_one() -> None:
    """Write it anew with: faceveil run --schema > docs/job.schema.json."""
    made = schema()
    assert made == json.loads((ROOT / "docs" / "job.schema.json").read_text(encoding="utf-8"))
    assert set(Policy.model_fields) < set(made["properties"])
    assert made["required"] == ["source"]
    assert next(iter(made["properties"])) == "source"
    assert made["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "job.yml, line 1: there is nothing in it — a job names at least its source"),
        ("- a\n", "job.yml, line 1: a job is made of settings such as 'source: photos/', got a list"),
        ("photo.jpg\n", "job.yml, line 1: a job is made of settings such as 'source: photos/', got a text"),
        ("method: solid\n", "job.yml, line 1: the field 'source' is missing"),
        ("# x\nsorce: a\n", "job.yml, line 2: there is no field 'sorce' — did you mean 'source'?"),
        ("source: a\n\nmetod: veil\n", "job.yml, line 3: there is no field 'metod' — did you mean 'method'?"),
        ("source: a\narea:\n  widht: 2\n", "job.yml, line 3: there is no field 'area.widht' — did you mean 'width'?"),
        ("source: a\nlive:\n  delya: 2\n", "job.yml, line 3: there is no field 'live.delya' — did you mean 'delay'?"),
        ("source: a\nsource: b\n", "job.yml, line 2: 'source' is given twice, in line 1 too"),
        ("source: []\n", "job.yml, line 1: source: name at least one"),
        ("source: ''\n", "job.yml, line 1: source: it is empty"),
        ('source:\n- a\n- "b\\0"\n', "job.yml, line 3: source: it holds a character that no name can hold"),
        ("source:\n- a\n- [b]\n", "job.yml, line 3: source: input should be a valid string"),
        ("source:\n- a\n- true\n", "job.yml, line 3: source: input should be a valid string (got 'True')"),
        ("source: a\noutputs: {b: c}\n", "job.yml, line 2: outputs: input should be a valid string"),
        ("source: a\njobs: 0\n", "job.yml, line 2: jobs: input should be greater than or equal to 1 (got '0')"),
        ("source: a\noverwrite: perhaps\n", "job.yml, line 2: overwrite: input should be a valid boolean"),
        ("source: a\npreset: slow\n", "job.yml, line 2: preset: input should be 'fast', 'balanced' or 'thorough'"),
        ("source: a\narea:\n  height: 2\n  width: 99\n", "job.yml, line 4: area.width: input should be less than"),
        ("source: a\narea: width=1(\n", "job.yml, line 2: area: brackets do not match"),
        ("source: a\narea: hat\n", "job.yml, line 2: area: area is 'face', 'head' or settings"),
        ("source: a\nlive: {delay: soon}\n", "job.yml, line 2: live.delay: input should be a valid number"),
        ("source: a\ndetector: mtcn\n", "job.yml, line 2: detector: no detector is called 'mtcn' — did you mean"),
        ("source: a\nmethod: blurr\n", "job.yml, line 2: method: no method is called 'blurr' — did you mean 'blur'?"),
        ("source: a\nmethod: mosaic:cells=0\n", "job.yml, line 2: method 'mosaic': 'cells': input should be greater"),
        ("source: a\nmethod: mosaic:sells=4\n", "job.yml, line 2: method 'mosaic': there is no setting 'sells'"),
        ("source: a\nmethod: 'mosaic:cells'\n", "job.yml, line 2: method: cannot read 'cells'"),
        ("source: a\nmethod: " + "union(" * 40 + ")" * 40, "job.yml, line 2: method: brackets go deeper than 32"),
        ("source: a\nseed: -1\npreset: x\n", "job.yml, line 2: seed: input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text, "job.yml")
    assert str(caught.value).startswith(complaint)
    assert str(caught.value).isprintable()


def _decided(text: str) -> Files | Stream:
    return decide(parse(text, "job.yml"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: Path) -> Path:
    """The current folder, with `photo.jpg`, `other.png`, `holiday/a.jpg`, and `7/a.jpg`."""
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "other.png", "holiday/a.jpg", "7/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(portrait.read_bytes())
    return tmp_path


@pytest.mark.usefixtures("here")
def test_files_become_the_tasks_of_a_batch() -> None:
    decided = _decided("source: [photo.jpg, 'holi*']\noutputs: out\n")
    assert isinstance(decided, Files)
    assert [(str(t.source), str(t.output)) for t in decided.inputs.tasks] == [
        ("photo.jpg", "out/photo.jpg"),
        ("holiday/a.jpg", "out/holiday/a.jpg"),
    ]
    decided = _decided("source: 7")
    assert isinstance(decided, Files)
    assert [str(t.output) for t in decided.inputs.tasks] == ["7_veiled/a.jpg"]


@pytest.mark.usefixtures("here")
def test_cameras_and_addresses_become_streams() -> None:
    assert _decided("source: 0\n") == Stream("0", ("preview",), LiveSettings())
    text = "source: rtsp://camera/1\noutputs: [out/a.mkv, 'preview:8765', 'udp://10.0.0.2:5000']\nlive: {delay: 1}\n"
    stream = _decided(text)
    expected = ("out/a.mkv", "preview:8765", "udp://10.0.0.2:5000")
    assert stream == Stream("rtsp://camera/1", expected, LiveSettings(delay=1))
    assert stream.files == (Path("out/a.mkv"),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("source:\n- photo.jpg\n- none.jpg\n", "line 3: source: there is no 'none.jpg'"),
        ("source: '*.webp'\n", "line 1: source: nothing matches '*.webp'"),
        ("source: photo.jpg\noutputs: x.png\n", "line 2: outputs: 'x.png' would be another format"),
        ("source: photo.jpg\noutputs: photo.jpg\n", "line 2: outputs: 'photo.jpg' is an input"),
        ("source: [a.mp4, b.mp4]\nlive: {}\n", "line 1: source: one video can be played, got 2 sources"),
        ("source: [photo.jpg, holiday/a.jpg]\noutputs: other.png\n", "line 2: outputs: 'other.png' is a file, and"),
        ("source: photo.jpg\noutputs:\n- a\n- b\n", "line 4: outputs: files go to one folder or file, got 2"),
        ("source: holiday\noutputs:\n- out\n- preview\n", "line 4: outputs: 'preview' is for what is live, and files"),
        ("source: holiday\noutputs: udp://host:1\n", "line 2: outputs: 'udp://host:1' is for what is live"),
        (f"source: {'a' * 300}\n", "line 1: source: cannot look at 'aaa"),
        ("source:\n- 0\n- photo.jpg\n", "line 3: source: a camera or URL stands alone, got 2 sources"),
        ("source: holiday\nlive: {}\n", "line 1: source: 'holiday' is a folder, and one video can be played"),
        ("source: photo.jpg\nlive: {}\n", "line 1: source: 'photo.jpg' is no video, and only a video can be"),
        ("source: none.mp4\nlive: {}\n", "line 1: source: there is no 'none.mp4'"),
        ("source: ftp://host/film.mp4\n", "line 1: source: 'ftp://host/film.mp4' cannot be read — known: rtsp"),
        ("source: 0\njobs: 2\n", "line 2: jobs: a live run is one process — leave it out"),
        ("source: 0\nverify: true\n", "line 2: verify: a live picture is gone before it could be verified"),
        ("source: 0\naudio: keep\n", "line 2: audio: live runs carry no sound"),
        (
            "source: 0\noutputs:\n- preview\n- out/\n",
            "line 4: outputs: 'out/' is a folder, and what is live has no name",
        ),
        ("source: 0\noutputs: out.avi\n", "line 2: outputs: 'out.avi' cannot be written live — known: .mp4, .mkv"),
        (
            "source: 0\noutputs: preview:http\n",
            "line 2: outputs: 'preview:http' can show no pictures — known: preview,",
        ),
        ("source: 0\noutputs: http://host/x\n", "line 2: outputs: 'http://host/x' can show no pictures"),
        ("source: 0\noutputs:\n- a.mp4\n- a.mp4\n", "line 4: outputs: 'a.mp4' is given twice"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_does_not_go_together_is_refused_before_anything_starts(text: str, complaint: str) -> None:
    with pytest.raises(RequestError) as caught:
        _decided(text)
    assert str(caught.value).startswith("job.yml, " + complaint)


_NAMES = st.sampled_from([*schema()["properties"], "nodes", "sorce", "<<", *NODES, "width", "delay", "min_size"])
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from([*NODES, "0"]))
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=12)
_JOBS = st.dictionaries(_NAMES, _VALUES).map(lambda value: {"source": "a.mp4", **value})
_PIPES = st.lists(
    st.dictionaries(st.sampled_from([*NODES]), _VALUES, min_size=1, max_size=1) | st.sampled_from([*NODES])
)
_TEXTS = st.one_of(
    st.text(),
    _VALUES.map(yaml.safe_dump),
    _JOBS.map(yaml.safe_dump),
    _PIPES.map(lambda nodes: yaml.safe_dump({"nodes": nodes})),
)


@given(_TEXTS)
def test_any_text_is_a_job_or_one_sentence(text: str) -> None:
    said, job = "job.yml, line ", None
    try:
        job = parse(text, "job.yml").job
    except RequestError as error:
        said = str(error)
    assert said.startswith("job.yml, line ")
    assert said.isprintable()
    assert job is None or parse(job.text, "again.yml").job == job


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_a_printed_job_is_the_same_job(names: list[str]) -> None:
    job = parse(yaml.safe_dump({"source": names, "outputs": names[:1], "report": names[0]}), "job.yml").job
    assert job.source == tuple(names)
    assert parse(job.text, "again.yml").job == job
