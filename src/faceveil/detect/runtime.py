"""Networks, ready to run: on which provider, with how many threads, and what is installed for it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from faceveil.detect.free import Axes, freed
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


class Port(Protocol):
    """What a network takes or gives: a name, a shape whose free sides are no numbers, a type such as tensor(float)."""

    @property
    def name(self) -> str:
        """Its name in the file."""

    @property
    def shape(self) -> list[Any]:
        """Its sides, whole numbers where they are fixed."""

    @property
    def type(self) -> str:
        """Its type as ONNX Runtime writes it."""


class Network(Protocol):
    """A network that can be called from several threads."""

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]], /) -> list[NDArray[Any]]:
        """The named outputs for the named inputs."""

    def get_inputs(self) -> list[Port]:
        """What it takes, in the file's order."""

    def get_outputs(self) -> list[Port]:
        """What it gives, in the file's order."""


Convert = Callable[[bytes], bytes]

_loaded: dict[
    tuple[str | Path, Runtime, Axes | None, Convert | None, str | None], tuple[Path, tuple[int, int, int], Network]
] = {}
"""The networks of this process by name or file, runtime, free axes, conversion and store; with the file that each was
made of, and its identity."""


def session(model: str | Path, runtime: Runtime, free: Axes | None = None, convert: Convert | None = None) -> Network:
    """The network of a model by its name in the store, or in a file, loaded once for each runtime in each process.

    A file that was replaced meanwhile is loaded anew. free: the axes of its inputs, height and width, that take any
    length though the file declares one. convert: makes an ONNX file of a file of another kind.

    Raises `MissingExtra` if the model or the provider is not installed, or the model damaged, and `RequestError` for a
    file that cannot be loaded. The provider that was asked for is used, or the call fails; only single operations that
    it does not know run on the CPU.
    """
    key = (model, runtime, free, convert, os.environ.get(store.VARIABLE))
    known = _loaded.get(key)
    if known and _identity(known[0]) == known[1]:  # 10 us; to ask the store where it lies takes up to 150
        return known[2]
    if runtime.provider not in providers():
        raise MissingExtra(f"provider '{runtime.provider}' is not installed", hint=CURES[runtime.provider])
    path = store.path(model) if isinstance(model, str) else model
    if path.suffix != ".onnx" and isinstance(model, str) and convert is None:
        raise RequestError(f"the model '{model}' is no ONNX file but {path.name}")
    identity = _identity(path)
    try:
        network = _made(path, runtime, free, convert)
    except (MissingExtra, MemoryError):
        raise
    except Exception as error:  # what the runtimes raise shares no base but Exception
        said = error.strerror if isinstance(error, OSError) else told(error)
        if isinstance(model, Path):
            raise RequestError(f"the network {model} cannot be loaded: {said}") from error
        raise MissingExtra(f"the model '{model}' cannot be loaded: {said}", hint="faceveil models verify") from error
    _loaded[key] = path, identity, network
    return network


def told(error: Exception) -> str:
    """What a runtime's exception says, in one line, without its codes and the names of its own source files."""
    said = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Exception from \S+:\d+:", "", str(error))
    return " ".join(said.split())[:200].rstrip(". ")


def _made(path: Path, runtime: Runtime, free: Axes | None, convert: Convert | None) -> Network:
    network = path.read_bytes()
    if convert is not None:
        network = convert(network)
    if free is not None:
        network = freed(network, free)
    return _OpenVino(network, runtime.threads) if runtime.provider == "openvino" else _onnx(network, runtime)


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
    options.log_severity_level = 4  # nothing: warnings about the graph are of no use to a user, errors are raised
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

    def get_inputs(self) -> list[Port]:
        """What it takes, in the file's order."""
        return [_Declared.of(port) for port in self._compiled.inputs]

    def get_outputs(self) -> list[Port]:
        """What it gives, in the file's order."""
        return [_Declared.of(port) for port in self._compiled.outputs]


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a network of OpenVINO takes or gives, in ONNX Runtime's words."""

    name: str
    shape: list[Any]
    type: str

    @classmethod
    def of(cls, port: Any) -> _Declared:
        words = {"f32": "float", "f16": "float16", "u8": "uint8"}
        kind = port.get_element_type().get_type_name()
        shape = [side.get_length() if side.is_static else None for side in port.get_partial_shape()]
        return cls(port.get_any_name(), shape, f"tensor({words.get(kind, kind)})")


def providers() -> list[str]:
    """The providers that are installed, by our names."""
    offered = []
    if find_spec("onnxruntime"):
        import onnxruntime  # noqa: PLC0415

        offered = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS if (find_spec("openvino") if name == "openvino" else THEIRS[name] in offered)]
