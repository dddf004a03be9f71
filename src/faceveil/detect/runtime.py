"""Networks, ready to run: on which provider, with how many threads, and what is installed for it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from faceveil.errors import MissingExtra, RequestError
from faceveil.models import store

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


@dataclass(frozen=True, slots=True)
class Runtime:
    """provider: cpu, cuda, openvino or coreml. threads: per session, 0 for all cores.

    cloud: whether the user allows that originals are sent to a service; detectors that do so refuse without it.
    """

    provider: str = "cpu"
    threads: int = 0
    cloud: bool = False

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise RequestError(f"no provider is called '{self.provider}'", hint="known: " + ", ".join(PROVIDERS))
        if self.threads < 0:
            raise RequestError(f"threads must be 0 (all cores) or more, got {self.threads}")


class Network(Protocol):
    """A network that can be called from several threads."""

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]], /) -> list[NDArray[Any]]:
        """The named outputs for the named inputs."""


_loaded: dict[tuple[str, Runtime, str | None], tuple[Path, tuple[int, int, int], Network]] = {}
"""The networks of this process by name, runtime and store; with the file that each was made of, and its identity."""


def session(name: str, runtime: Runtime) -> Network:
    """The network of a model by its name in the store, loaded once for each runtime in each process.

    A model that was replaced meanwhile is loaded anew. Raises `MissingExtra` if the model or the provider is not
    installed, or the model damaged. The provider that was asked for is used, or the call fails; only single operations
    that it does not know run on the CPU.
    """
    key = (name, runtime, os.environ.get(store.VARIABLE))
    known = _loaded.get(key)
    if known and _identity(known[0]) == known[1]:  # 10 us; to ask the store where it lies takes up to 150
        return known[2]
    if runtime.provider not in providers():
        raise MissingExtra(f"provider '{runtime.provider}' is not installed", hint=CURES[runtime.provider])
    path = store.path(name)
    if path.suffix != ".onnx":
        raise RequestError(f"the model '{name}' is no ONNX file but {path.name}")
    identity, model = _identity(path), path.read_bytes()
    try:
        network = _OpenVino(model, runtime.threads) if runtime.provider == "openvino" else _onnx(model, runtime)
    except MissingExtra:
        raise
    except Exception as error:  # what the runtimes raise shares no base but Exception
        said = " ".join(str(error).split())[-300:]
        raise MissingExtra(f"the model '{name}' cannot be loaded: {said}", hint="faceveil models verify") from error
    _loaded[key] = path, identity, network
    return network


def _identity(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to; zeros where there is none."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return now.st_ino, now.st_mtime_ns, now.st_size


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


def providers() -> list[str]:
    """The providers that are installed, by our names."""
    offered = []
    if find_spec("onnxruntime"):
        import onnxruntime  # noqa: PLC0415

        offered = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS if (find_spec("openvino") if name == "openvino" else THEIRS[name] in offered)]
