"""Table of the formats of exported files.

It needs neither Keras nor numpy, so that the command line can check arguments before importing
them.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """Properties of a file format, by suffix.

    Attributes:
        module: Module of `keras_osnet.deploy` with the two functions.
        write: Name of its function that converts: (model, output, file, quantization).
        describe: Name of its function that adds names and metadata: (file, metadata, output).
        quantizations: Those that the format has; None is float32.
        batch: Images that a file takes at once by default, None for any number.
    """

    module: str
    write: str
    describe: str
    quantizations: tuple[str | None, ...]
    batch: int | None

    def function(self, name: str) -> Callable[..., Any]:
        """Import one of the two functions."""
        return getattr(importlib.import_module(f"keras_osnet.deploy.{self.module}"), name)


FORMATS = {
    ".tflite": Format(
        module="tflite",
        write="write_tflite",
        describe="describe_tflite",
        quantizations=(None, "float16", "dynamic", "int8"),
        batch=1,
    ),
    ".onnx": Format(
        module="onnx_openvino",
        write="write_onnx",
        describe="describe_onnx",
        quantizations=(None,),
        batch=None,
    ),
    ".xml": Format(
        module="onnx_openvino",
        write="write_openvino",
        describe="describe_openvino",
        quantizations=(None, "float16"),
        batch=None,
    ),
}
"""By suffix. `keras_osnet.runtime` reads files of the same suffixes."""


def format_of(path: Path) -> Format:
    """Return the format that a path's suffix selects.

    Raises:
        ValueError: No format has this suffix.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"`path` must end in {', '.join(FORMATS)}. Received: {path}")
    return FORMATS[path.suffix]


def suffixes_with(quantization: str | None) -> tuple[str, ...]:
    """Return the suffixes of the formats that have a quantization."""
    return tuple(each for each, kind in FORMATS.items() if quantization in kind.quantizations)
