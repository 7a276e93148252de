"""The choice of an engine for a file and a device."""

import importlib.util
import os
from contextlib import suppress
from pathlib import Path

from keras_osnet._utils.checks import one_of, positive_integer
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.engines.engine import Engine
from keras_osnet.runtime.engines.litert import LiteRT
from keras_osnet.runtime.engines.onnxruntime import OnnxRuntime
from keras_osnet.runtime.engines.openvino import OpenVINO
from keras_osnet.runtime.read_metadata import ModelFile

_BY_FILE: dict[str, tuple[type[Engine], ...]] = {
    ".tflite": (LiteRT,),
    ".onnx": (OnnxRuntime, OpenVINO),
    ".xml": (OpenVINO,),
}
"""Engines by the suffix of the file; "auto" selects the first that is installed.

For .onnx that is onnxruntime, which also runs on GPUs. The page "Choose a model" has the
times of both.
"""

_MOST_THREADS = 1024
"""More than any processor has; engines fail for lack of memory with far more."""

_CONTROL_GROUP = Path("/sys/fs/cgroup")
"""That of a container, as it sees it itself."""

_TIME_LIMITS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Files with the time that may be used in a period, and the period: versions 2 and 1."""

ENGINES = tuple(each.name for each in (LiteRT, OnnxRuntime, OpenVINO))


def engines_for(file: Path, device: str = "auto") -> list[str]:
    """Return the engines that are installed and take a file, the one of "auto" first.

    Args:
        file: A model's file.
        device: Those that compute on this kind of device, as `Device.parse` takes it.

    Raises:
        ValueError: It is not the name of a device.
    """
    able = _able(list(_BY_FILE[file.suffix.lower()]), Device.parse(device))
    return [each.name for each in able if _is_installed(each)]


def open_engine(
    model: ModelFile,
    engine: str = "auto",
    *,
    precision: str = "float32",
    threads: int | None = None,
    device: str = "cpu",
    output: str | None = None,
) -> Engine:
    """Load a model's file.

    Args:
        model: As `read_model_file` returns it.
        engine: "auto" or one of `ENGINES`.
        precision: "float32" or "bfloat16".
        threads: Number of threads, up to 1024; None for all processors that this process may use.
        device: As `Device.parse` takes it.
        output: Name of the output; None for the only one.

    Raises:
        ValueError: An argument is not as above, the engine does not take such files or cannot
            compute in that precision or on that device, or the file is damaged (ModelFileError).
        ImportError: The engine is not installed.
    """
    one_of("precision", precision, OpenVINO.precisions)
    one_of("engine", engine, ("auto", *ENGINES))
    wanted = Device.parse(device)
    count = (
        usable_cpus() if threads is None else positive_integer("threads", threads, _MOST_THREADS)
    )
    takers = _BY_FILE[model.kind]
    named = [each for each in takers if engine in ("auto", each.name)]
    if not named:
        raise ValueError(
            f"`engine` must be one that takes {model.kind} files: "
            f"{', '.join(each.name for each in takers)}. Received: {engine!r}"
        )
    able = _able(named, wanted)
    if not able:
        engines = "; ".join(f"{each.name} on {', '.join(each.device_kinds)}" for each in takers)
        raise ValueError(
            f"`device` must be one that {model.kind} files run on: {engines}. "
            f"Received: {device!r}" + ("" if engine == "auto" else f", engine={engine!r}")
        )
    exact = [each for each in able if precision in each.precisions] or able
    chosen = next((each for each in exact if _is_installed(each)), exact[0])
    return chosen(model, precision=precision, threads=count, device=wanted, output=output)


def usable_cpus() -> int:
    """Return the number of processors that this process may use.

    A container may see all processors of its machine and be limited in time, as by Docker's
    `--cpus`; then it is this limit, rounded up. With four threads for each processor, onnxruntime
    takes ten times as long for an image.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return min(count, _time_limit() or count)


def _time_limit() -> int | None:
    """Return how many processors' time a container has, rounded up; None if it is not limited."""
    for names in _TIME_LIMITS:
        with suppress(OSError, ValueError):  # ValueError: no limit in version 2 is "max"
            numbers = " ".join((_CONTROL_GROUP / name).read_text() for name in names).split()
            quota, period = map(int, numbers)
            if quota > 0:
                return -(-quota // period)
    return None


def _able(engines: list[type[Engine]], device: Device) -> list[type[Engine]]:
    """Return the engines that compute on a kind of device."""
    return [each for each in engines if device.kind in ("auto", *each.device_kinds)]


def _is_installed(engine: type[Engine]) -> bool:
    try:
        return importlib.util.find_spec(engine.module) is not None
    except ImportError:  # from an import hook that blocks modules
        return False
