"""Networks, ready to run: on which provider, with how many threads, and what is installed for it."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from faceveil.errors import MissingExtra, RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROVIDERS = ("cpu", "cuda", "openvino", "coreml")

THEIRS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "coreml": "CoreMLExecutionProvider"}
"""ONNX Runtime's names. OpenVINO runs by itself: its build of ONNX Runtime overwrites the plain one's files."""

CURES = {
    "cpu": "pip install onnxruntime",
    "cuda": "pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
    "openvino": "pip install 'faceveil[openvino]'",
    "coreml": "it comes with onnxruntime on macOS and nowhere else",
}

REBUILD = "pip install --force-reinstall faceveil, or python -m tools.models in a checkout"


@dataclass(frozen=True, slots=True)
class Runtime:
    """provider: cpu, cuda, openvino or coreml. threads: per session, 0 for all cores."""

    provider: str = "cpu"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise RequestError(f"no provider is called '{self.provider}'", hint="known: " + ", ".join(PROVIDERS))
        if self.threads < 0:
            raise RequestError(f"threads must be 0 (all cores) or more, got {self.threads}")


@dataclass(frozen=True, slots=True)
class Model:
    """One model file: its size, where its weights come from, on which terms, and whether its bytes are as made."""

    name: str
    bytes: int
    source: str
    licence: str
    terms: str
    intact: bool


class Network(Protocol):
    """A network that can be called from several threads."""

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]], /) -> list[NDArray[Any]]:
        """The named outputs for the named inputs."""


@cache
def session(name: str, runtime: Runtime) -> Network:
    """The network in `models/NAME.onnx`, loaded once for each runtime in each process.

    Raises `MissingExtra` if the model or the provider is not installed. The provider that was asked for is used, or
    the call fails; only single operations that it does not know run on the CPU.
    """
    if runtime.provider not in providers():
        raise MissingExtra(f"provider '{runtime.provider}' is not installed", hint=CURES[runtime.provider])
    model = _read(f"{name}.onnx")
    return _OpenVino(model, runtime.threads) if runtime.provider == "openvino" else _onnx(model, runtime)


def _onnx(model: bytes, runtime: Runtime) -> Network:
    import onnxruntime  # noqa: PLC0415  # 0.1 s: only where a network runs

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Pictures differ in size: remembering a memory plan for each costs 550 MB instead of 367 (fp32 at 1280 px, four
    # sizes) and saves no time.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors only: warnings about the graph are of no use to a user
    # Waiting threads sleep: spinning costs 55 ms of CPU time instead of 20 (int8 at 640 px, two threads), which other
    # processes and the threads that decode and encode could use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = THEIRS[runtime.provider]
    asked = [wanted] if runtime.provider == "cpu" else [wanted, THEIRS["cpu"]]
    made: Any = onnxruntime.InferenceSession(model, options, providers=asked)
    made.disable_fallback()
    if made.get_providers()[0] != wanted:  # ONNX Runtime falls back in silence where a driver is missing
        raise MissingExtra(
            f"provider '{runtime.provider}' is installed but does not start", hint="check its driver and libraries"
        )
    return made  # type: ignore[no-any-return]  # it has Network's one method


class _OpenVino:
    """A network compiled by OpenVINO for this CPU. One request for each thread that calls it."""

    def __init__(self, model: bytes, threads: int) -> None:
        import openvino  # noqa: PLC0415

        core = openvino.Core()
        # f32: by default it computes fp32 networks in bf16 where the processor can, and scores change in the second
        # digit. int8 networks stay int8.
        # No pinning: two processes of one thread would both be pinned to the first core (30 s instead of 17 for 273
        # pictures).
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled: Any = core.compile_model(core.read_model(model, b""), "CPU", settings)
        self._local = threading.local()

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]], /) -> list[NDArray[Any]]:
        """The named outputs for the named inputs."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        made = self._local.request.infer(inputs)
        return [made[name] for name in outputs]


def _read(name: str) -> bytes:
    try:
        return (resources.files("faceveil") / "models" / name).read_bytes()
    except FileNotFoundError:
        raise MissingExtra(f"the model {name} is missing from this installation", hint=REBUILD) from None


def providers() -> list[str]:
    """The providers that are installed, by our names."""
    offered = []
    if find_spec("onnxruntime"):
        import onnxruntime  # noqa: PLC0415

        offered = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS if (find_spec("openvino") if name == "openvino" else THEIRS[name] in offered)]


def models() -> list[Model]:
    """Every model of this installation as its manifest lists it. Raises `MissingExtra` if there is no manifest."""
    manifest = json.loads(_read("manifest.json"))
    listed = []
    for name, entry in manifest["files"].items():
        if not name.endswith(".onnx"):
            continue
        source = manifest["sources"][entry["source"]]
        listed.append(
            Model(
                name=name,
                bytes=entry["bytes"],
                source=f"{source['package']} {source['version']}",
                licence=source["licence"],
                terms=source["terms"],
                intact=_sha256(name) == entry["sha256"],
            )
        )
    return listed


def _sha256(name: str) -> str:
    try:
        return hashlib.sha256(_read(name)).hexdigest()
    except MissingExtra:
        return ""
