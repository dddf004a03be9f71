"""Job: a policy with its source and outputs, as a YAML file says them. Complaints name file, line and field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from faceveil import detect, plugins
from faceveil.errors import RequestError
from faceveil.jobs import peekingduck
from faceveil.jobs.complaints import complaint
from faceveil.jobs.texts import Sources, Text, Texts
from faceveil.jobs.written import Where, Written
from faceveil.live import LiveSettings
from faceveil.policy import Policy


class Job(Policy):
    """What to read, what to do with it and where it goes: every setting of a policy, and these."""

    source: Sources
    """What to read: a file, folder or pattern, or a list of them; or one camera (0, /dev/video0) or URL."""
    outputs: Texts = ()
    """Where it goes: of files a folder or file, beside the source where unset; of what is live any number of preview,
    window, camera, files and URLs, preview where unset."""
    live: LiveSettings | None = None
    """How cameras and streams are run; with it, if only as {}, a video file is played as if it were live."""
    report: Text | None = None
    """File for the account of the run, JSON; a rerun resumes."""
    overwrite: bool = False
    """Make existing outputs anew; without it they are kept."""
    neutral_names: bool = False
    """Name the outputs by chance; only the report knows which is which. The output must be a folder."""
    annotations: Text | None = None
    """File of annotations (COCO, YOLO, WIDER FACE, CSV): of files, cover what it says instead of looking for faces."""
    add_detected: bool = False
    """Look for faces, too, and cover both."""
    jobs: int | None = Field(None, ge=1, le=256)
    """Processes; unset, one for each core."""

    @property
    def policy(self) -> Policy:
        """The policy alone."""
        return Policy(**{name: getattr(self, name) for name in Policy.model_fields})

    @classmethod
    def read(cls, path: str | Path) -> Job:
        """The job in a file, ours or PeekingDuck's. Raises `RequestError` that names file, line and field."""
        return read(path).job

    @property
    def text(self) -> str:
        """This job as YAML, settings at their defaults left out; read again it is the same job."""
        import yaml  # noqa: PLC0415  (wanted only here)

        said = self.model_dump(mode="json", exclude_defaults=True)
        ordered = {name: said[name] for name in fields() if name in said}
        for name in ("source", "outputs"):
            if len(ordered.get(name, ())) == 1:
                ordered[name] = ordered[name][0]
        text: str = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=120)
        return text


def fields() -> list[str]:
    """The names of a job's fields in the order of reading: source first, then the policy, then the outputs."""
    return ["source", *Policy.model_fields, *(name for name in Job.__annotations__ if name != "source")]


def schema() -> dict[str, Any]:
    """The JSON schema of job files, for editors and other programs."""
    made = Job.model_json_schema()
    made["properties"] = {name: made["properties"][name] for name in fields()}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A job and where it was written.

    notes: one sentence each on what of a PeekingDuck file has no effect.
    """

    job: Job
    notes: tuple[str, ...]
    written: Written


def read(path: str | Path) -> Loaded:
    """The job in a file, ours or PeekingDuck's.

    Raises:
        RequestError: names the file, the line and the field. MissingExtra: a plug-in that it names is not installed.
    """
    return _loaded(Written.read(Path(path)))


def parse(text: str, name: str) -> Loaded:
    """The job in a text; `name` stands for the file in complaints. Raises as `read` does."""
    return _loaded(Written.parse(text, name))


def _loaded(written: Written) -> Loaded:
    if written.value is None:
        raise written.error((), "there is nothing in it", hint="a job names at least its source")
    if not isinstance(written.value, dict):
        raise written.error((), f"a job is made of settings such as 'source: photos/', got a {_kind(written.value)}")
    notes: tuple[str, ...] = ()
    if "nodes" in written.value:
        written, notes = peekingduck.translated(written)
    try:
        job = Job(**written.value)
    except ValidationError as error:
        raise complaint(written, Job, error) from None
    specs: list[tuple[Where, str]] = [(("method",), job.method)]
    specs += [(("methods", label), spec) for label, spec in job.methods.items()]
    if job.detector is not None:
        specs.append((("detector",), job.detector))
    for where, spec in specs:
        try:
            detect.make(spec) if where == ("detector",) else plugins.make(plugins.DEIDENTIFY, spec)
        except RequestError as error:
            named = "" if error.message.startswith(str(where[0])) else f"{where[0]}: "
            raise written.error(where, named + error.message, hint=error.hint) from None
    return Loaded(job, notes, written)


def _kind(value: object) -> str:
    return {list: "list", str: "text", bool: "truth value", int: "number", float: "number"}[type(value)]
