"""Table of the formats of exported files, and their writers.

Importing it needs neither Keras nor numpy, so that the command line can check arguments first.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_osnet._utils.optional import require

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from keras_osnet.runtime.metadata import ModelMetadata


Names = tuple[str, str]
"""Names of the input and the output."""

_NO_WEIGHTS = "1" * 64
"""Where the digest of OpenVINO's weights stands until it is known."""


@dataclass(frozen=True)
class Format:
    """Properties of a file format.

    Attributes:
        write: Converts: (model, names, file, quantization).
        describe: Adds names and metadata: (file, metadata, names).
        write_int8: Converts to int8: (model, names, file, images).
        quantizations: Those that the format has; None is float32.
        batch: Images that a file takes at once by default, None for any number.
    """

    write: Callable[[keras.Model, Names, Path, str | None], None]
    write_int8: Callable[[keras.Model, Names, Path, NDArray], None]
    describe: Callable[[Path, ModelMetadata, Names], None]
    quantizations: tuple[str | None, ...]
    batch: int | None


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


def _write_tflite(model: keras.Model, names: Names, file: Path, quantization: str | None) -> None:
    from keras_osnet.deploy.tflite import tflite_bytes

    file.write_bytes(tflite_bytes(model, names, quantization))


def _write_int8_tflite(model: keras.Model, names: Names, file: Path, images: NDArray) -> None:
    from keras_osnet.deploy.int8 import quantize_int8

    file.write_bytes(quantize_int8(model, images, names=names))


def _describe_tflite(file: Path, metadata: ModelMetadata, names: Names) -> None:
    """Write the metadata; the signature names input and output already."""
    from keras_osnet.deploy.tflite import write_metadata

    write_metadata(file, metadata, names)


def _write_onnx(model: keras.Model, names: Names, file: Path, quantization: str | None) -> None:  # noqa: ARG001
    """Write an `.onnx` file through `model.export`; `_describe_onnx` names its output."""
    require("tf2onnx", "Exporting to ONNX", "deploy")
    _export(model, file, "onnx")


def _write_int8_onnx(model: keras.Model, names: Names, file: Path, images: NDArray) -> None:
    from keras_osnet.deploy.instance_norm import with_means
    from keras_osnet.deploy.int8 import quantized_onnx, round_weights

    rounded = round_weights(model, images)
    _write_onnx(with_means(rounded.model), names, file, None)
    file.write_bytes(quantized_onnx(file.read_bytes(), rounded))


def _write_openvino(model: keras.Model, names: Names, file: Path, quantization: str | None) -> None:  # noqa: ARG001
    """Write an `.xml` file, and its `.bin`, through `model.export`.

    `_describe_openvino` names its output and stores its weights as float16.
    """
    require("openvino", "Exporting to OpenVINO", "deploy")
    _export(model, file, "openvino")


def _write_int8_openvino(model: keras.Model, names: Names, file: Path, images: NDArray) -> None:
    """Write the int8 ONNX file in OpenVINO's format."""
    openvino = require("openvino", "Exporting to OpenVINO", "deploy")
    graph = file.with_suffix(".onnx")
    _write_int8_onnx(model, names, graph, images)
    # Not `read_model`: its graph has more than twice as many operations.
    openvino.save_model(openvino.convert_model(graph), file, compress_to_fp16=False)
    graph.unlink()


def _describe_onnx(file: Path, metadata: ModelMetadata, names: Names) -> None:
    """Name the tensors of an ONNX file and put the metadata into `metadata_props`."""
    from keras_osnet.deploy.onnx_graph import join_dense_layers, rename_ends
    from keras_osnet.runtime.metadata import KEY, NO_DIGEST

    onnx = require("onnx", "Exporting to ONNX", "deploy")
    model = onnx.load(file)
    rename_ends(model.graph, names)
    join_dense_layers(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, dataclasses.replace(metadata, digest=NO_DIGEST).to_json()
    onnx.save(model, file)
    _insert_digest(file)


def _describe_openvino(file: Path, metadata: ModelMetadata, names: Names) -> None:
    """Name input and output of OpenVINO's files and put the metadata into `rt_info`."""
    from keras_osnet.runtime.metadata import KEY, NO_DIGEST

    openvino = require("openvino", "Exporting to OpenVINO", "deploy")
    # From memory: the reader maps the weights' file, which is written again.
    model = openvino.Core().read_model(file.read_bytes(), file.with_suffix(".bin").read_bytes())
    model.inputs[0].tensor.set_names({names[0]})
    model.get_parameters()[0].set_friendly_name(names[0])
    model.get_parameters()[0].set_layout(openvino.Layout(metadata.layout))
    model.outputs[0].tensor.set_names({names[1]})
    blank = dataclasses.replace(metadata, digest=NO_DIGEST, weights_digest=_NO_WEIGHTS)
    model.set_rt_info(blank.to_json(), [KEY])
    openvino.save_model(model, file, compress_to_fp16=metadata.quantization == "float16")
    weights = hashlib.sha256(file.with_suffix(".bin").read_bytes()).hexdigest()
    file.write_bytes(file.read_bytes().replace(_NO_WEIGHTS.encode(), weights.encode()))
    _insert_digest(file)


def _insert_digest(file: Path) -> None:
    """Write the digest of a file over its zeros."""
    from keras_osnet.runtime.metadata import NO_DIGEST
    from keras_osnet.runtime.read_metadata import digest_of

    content = file.read_bytes()
    file.write_bytes(content.replace(NO_DIGEST.encode(), digest_of(content).encode()))


def _export(model: keras.Model, file: Path, kind: str) -> None:
    import keras

    image = model.inputs[0]
    # The input's shape: by default, Keras would leave the batch open.
    signature = [keras.InputSpec(shape=image.shape, dtype=image.dtype, name=image.name)]
    model.export(str(file), format=kind, input_signature=signature, verbose=False)


FORMATS = {
    ".tflite": Format(
        _write_tflite,
        _write_int8_tflite,
        _describe_tflite,
        (None, "float16", "dynamic", "int8"),
        1,
    ),
    ".onnx": Format(_write_onnx, _write_int8_onnx, _describe_onnx, (None, "int8"), None),
    ".xml": Format(
        _write_openvino, _write_int8_openvino, _describe_openvino, (None, "float16", "int8"), None
    ),
}
"""By suffix. `keras_osnet.runtime` reads files of the same suffixes."""
