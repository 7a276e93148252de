"""The engines that run exported models, and the choice of one for a file."""

import importlib.util
import os
from pathlib import Path

from keras_osnet._utils.checks import positive_integer
from keras_osnet.runtime.engines.engine import PRECISIONS, Engine
from keras_osnet.runtime.engines.litert import LiteRT
from keras_osnet.runtime.engines.onnx_runtime import OnnxRuntime
from keras_osnet.runtime.engines.open_vino import OpenVINO

_BY_FILE: dict[str, tuple[type[Engine], ...]] = {
    ".tflite": (LiteRT,),
    ".onnx": (OnnxRuntime, OpenVINO),
    ".xml": (OpenVINO,),
}
"""Engines by the suffix of the file; "auto" selects the first that is installed.

For .onnx that is onnxruntime, which was faster for one image at a time; OpenVINO was for 32. Both
ran .onnx files, on two cores in float32, ms per image, onnxruntime and OpenVINO: x1.0 12.9 and 14.0
(batch 1), 12.9 and 12.5 (batch 32); x0.25 2.3 and 3.6, 2.6 and 2.0. The page "Choose a model" has a
later run, on another day, in which OpenVINO ran .xml files: the two runs differ in more
than the engine, so do not compare their figures.
"""

ENGINES = tuple(each.name for each in (LiteRT, OnnxRuntime, OpenVINO))


def engines_for(file: Path) -> list[str]:
    """Return the engines that are installed and take a file, the one of "auto" first."""
    return [each.name for each in _BY_FILE[file.suffix] if _is_installed(each)]


def open_engine(file: Path, engine: str, *, precision: str, threads: int | None) -> Engine:
    """Load a model's file.

    Args:
        file: A path that `checked_file` returned.
        engine: "auto" or one of `ENGINES`.
        precision: "float32" or "bfloat16".
        threads: Number of threads; None for all processors that this process may use.

    Raises:
        ValueError: An argument is not as above, the engine does not take such files or cannot
            compute in that precision, or the file is damaged.
        ImportError: The engine is not installed.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {PRECISIONS}. Received: {precision!r}")
    if engine != "auto" and engine not in ENGINES:
        raise ValueError(f"`engine` must be one of {('auto', *ENGINES)}. Received: {engine!r}")
    count = usable_cpus() if threads is None else positive_integer("threads", threads)
    takers = _BY_FILE[file.suffix]
    if engine == "auto":
        # Only one engine has bfloat16, so asking for it selects that engine.
        able = [each for each in takers if precision == "float32" or each is OpenVINO] or takers
        chosen = next((each for each in able if _is_installed(each)), able[0])
    else:
        named = [each for each in takers if each.name == engine]
        if not named:
            raise ValueError(
                f"`engine` must be one that takes {file.suffix} files: "
                f"{', '.join(each.name for each in takers)}. Received: {engine!r}"
            )
        chosen = named[0]
    return chosen(file, precision=precision, threads=count)


def usable_cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_installed(engine: type[Engine]) -> bool:
    try:
        return importlib.util.find_spec(engine.module) is not None
    except ImportError:  # from an import hook that blocks modules
        return False
