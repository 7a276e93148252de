"""Build the model inside an exported file, images in and one named output, and convert it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import boolean, whole_number
from keras_osnet._utils.files import explained_writing
from keras_osnet._utils.optional import check_installed
from keras_osnet._utils.text import shorten
from keras_osnet.architecture.naming import is_finite
from keras_osnet.architecture.preprocessing import PREPROCESSING
from keras_osnet.deploy.fold import fold_onto
from keras_osnet.deploy.formats import format_of
from keras_osnet.deploy.image_tensor import (
    check_image_tensor,
    features_of,
    free_name,
    image_input,
    statistics,
    take_bgr,
)
from keras_osnet.deploy.instance_norm import with_means
from keras_osnet.runtime.metadata import ModelMetadata

_MODEL, _IMAGES, _REQUEST = "model.keras", "images.npy", "request.json"
_ERROR = "error.txt"

_NAMED = 5
"""Tensors that an error names."""

_TENSOR_NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,99}")
"""Names that Keras and all formats accept."""

_NAMES = {"embedding": "embedding", "attribute": "attributes", "maps": "maps"}
"""Names of the outputs in a file, by kind; a classifier's is `predictions` or `logits`."""


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A folded model that takes images, and the metadata of its file.

    Attributes:
        model: Functional and of Keras's own layers; one input, images in the file's layout; one
            output.
        names: Of the input and the output in the file.
        metadata: The metadata to write into the file.
    """

    model: keras.Model
    names: tuple[str, str]
    metadata: ModelMetadata


def serve(
    model: keras.Model,
    *,
    pixel_range: str = "0-255",
    dtype: str | None = None,
    layout: str = "NHWC",
    channels: str = "RGB",
    names: tuple[str, str] | None = None,
    normalize: bool = True,
    batch: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    quantization: str | None = None,
    labels: Sequence[str] = (),
    license: str | None = None,
    source: str | None = None,
) -> ServedModel:
    """Fold a model, add the missing preprocessing and normalization, and describe the result.

    The arguments are those of `keras_osnet.deploy.export`.

    Raises:
        ValueError: The model is not one image in, one result out; or an argument is wrong.
    """
    kind, output = output_of(model)
    _check_finite(model)
    dtype = ("uint8" if pixel_range == "0-255" else "float32") if dtype is None else dtype
    check_image_tensor(pixel_range, dtype, layout, channels)
    if batch is not None and whole_number(batch) != 1:
        raise ValueError(f"`batch` must be 1, or None for any number. Received: {batch!r}")
    names = ("image", output) if names is None else _checked_names(names)
    own_mean, own_std = statistics(model, mean, std)

    sides = tuple(model.inputs[0].shape[1:])
    image = image_input(model, batch=batch, dtype=dtype, layout=layout)
    features = features_of(
        model, image, pixel_range=pixel_range, layout=layout, mean=own_mean, std=own_std
    )
    # The caller normalizes the images instead.
    left_out = (PREPROCESSING,) if pixel_range == "normalized" else ()
    folded = fold_onto(model, image, features, left_out)
    result = folded.outputs[0]
    scaled = any(isinstance(layer, keras.layers.UnitNormalization) for layer in model.layers[-1:])
    if boolean("normalize", normalize) and kind == "embedding" and not scaled:
        scaled = True
        name = free_name(model, "normalized")
        result = keras.layers.UnitNormalization(axis=-1, dtype="float32", name=name)(result)
    labels = _checked_labels(labels)
    if labels and kind not in ("classification", "attribute"):
        raise ValueError(
            "`labels` name the classes or attributes of a model that predicts them. "
            f"Received: {len(labels)} labels for {model.name}, whose output is of kind {kind!r}"
        )
    metadata = ModelMetadata(
        name=model.name,
        dim=result.shape[-1],
        image_size=sides[:2],
        pixel_range=pixel_range,
        dtype=dtype,
        layout=layout,
        channels=channels,
        batch=batch,
        mean=own_mean,
        std=own_std,
        output_kind=kind,
        l2_normalized=scaled,
        labels=labels,
        quantization=quantization,
        license=license,
        source=_without_folders(source),
    )
    served = keras.Model(image, result, name=model.name)
    if channels == "BGR":
        take_bgr(served)
    return ServedModel(served, names, metadata)


def output_of(model: keras.Model) -> tuple[str, str]:
    """Return the kind of a model's output, and its name in a file.

    Raises:
        ValueError: It is not one image in, one result out.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] != 3:
        raise ValueError(
            "`model` must take one batch of RGB images, (batch, height, width, 3). "
            f"Received: {model.name} with inputs {[tuple(each.shape) for each in inputs]}"
        )
    if len(outputs) != 1 or len(outputs[0].shape) not in (2, 4) or outputs[0].shape[-1] is None:
        raise ValueError(
            "`model` must have one output, (batch, dim) or a feature map; keras.Model(model.input, "
            "model.get_layer(…).output) ends a model at a layer. "
            f"Received: {model.name} with outputs {[tuple(each.shape) for each in outputs]}"
        )
    if len(outputs[0].shape) == 4:
        return "maps", _NAMES["maps"]
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation is keras.activations.sigmoid:
        return "attribute", _NAMES["attribute"]
    if activation is keras.activations.softmax:
        return "classification", "predictions"
    if last.name == "logits":
        return "classification", "logits"
    return "embedding", _NAMES["embedding"]


def _checked_names(names: Any) -> tuple[str, str]:
    """Return the argument `names` of `export`, or raise ValueError."""
    valid = isinstance(names, list | tuple) and len(names) == 2 and names[0] != names[1]
    if not valid or not all(isinstance(one, str) and _TENSOR_NAME.fullmatch(one) for one in names):
        raise ValueError(
            "`names` must be two names, of the input and of the output: letters, digits, hyphens, "
            f"points and underscores, the first a letter. Received: {names!r:.200}"
        )
    return names[0], names[1]


def _checked_labels(labels: Any) -> tuple[str, ...]:
    """Return the argument `labels` of `export`, or raise ValueError."""
    given = () if isinstance(labels, str) else tuple(labels)
    wrong = [each for each in given if not isinstance(each, str) or len(each.splitlines()) != 1]
    if isinstance(labels, str) or wrong:
        raise ValueError(
            "`labels` must be a list of texts of one line each. "
            f"Received: {wrong[0] if wrong else labels!r:.200}"
        )
    return given


def _check_finite(model: keras.Model) -> None:
    """Raise ValueError if a weight is NaN or infinite."""
    wrong = [weight.path for weight in model.weights if not is_finite(weight)]
    if wrong:
        raise ValueError(
            "`model` must have finite weights, and some are NaN or infinite. "
            f"Received: {shorten(wrong, _NAMED)}"
        )


def _without_folders(source: str | None) -> str | None:
    """Return the name and the digest of a local file, which says more to others than its path."""
    if source is None:
        return None
    if not isinstance(source, str):
        raise ValueError(f"`source` must be text. Received: {source!r}")
    path = Path(source.removeprefix("file://"))
    is_url = "://" in source and not source.startswith("file://")
    # Of the other system's paths, too: the text could have been written there.
    windows = PureWindowsPath(path)
    hidden = path.is_absolute() or windows.is_absolute() or source.startswith(("~", "..", "file:"))
    try:
        is_file = not is_url and bool(path.suffix or hidden) and path.is_file()
    except OSError:  # of no path, such as a text that is too long
        return source
    if is_file:
        with path.open("rb") as file:
            return f"{path.name} (SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()})"
    return windows.name if hidden and not is_url else source


def convert(served: ServedModel, file: Path, images: NDArray | None = None) -> None:
    """Write a served model to a `.tflite`, `.onnx` or `.xml` file; the suffix selects the format.

    The converters are TensorFlow's. Under another backend the model, which consists of Keras's own
    layers, is saved to a temporary folder and converted by a separate process.

    Args:
        served: The model.
        file: To write; its folder exists.
        images: Inputs of the model, (n, height, width, 3), to calibrate int8 with.

    Raises:
        ImportError: TensorFlow or another package that the conversion needs is not installed.
        RuntimeError: The other process failed.
    """
    quantization = served.metadata.quantization
    check_installed("tensorflow", "Exporting", "deploy")
    if keras.backend.backend() == "tensorflow":
        write(served.model, served.names, file, quantization, images)
        return
    with tempfile.TemporaryDirectory(prefix="keras-osnet-") as folder:
        with explained_writing(Path(folder), Path(folder)):
            served.model.save(Path(folder, _MODEL))
            if images is not None:
                np.save(Path(folder, _IMAGES), images)
            request = {"names": served.names, "file": str(file), "quantization": quantization}
            Path(folder, _REQUEST).write_text(json.dumps(request), encoding="utf-8")
        _run_on_tensorflow(folder)


def write(
    model: keras.Model,
    names: tuple[str, str],
    file: Path,
    quantization: str | None = None,
    images: NDArray | None = None,
) -> None:
    """Convert in this process, whose backend is TensorFlow.

    Args:
        model: Of a `ServedModel`.
        names: Of the input and the output in the file.
        file: To write.
        quantization: None, `"float16"`, `"dynamic"` or `"int8"`.
        images: Inputs of the model, (n, height, width, 3), for `"int8"`; None for the others.

    Raises:
        ValueError: No format has the file's suffix.
    """
    kind = format_of(file)
    if images is not None:
        with warnings.catch_warnings():  # the exporter has warned of few images already
            warnings.filterwarnings("ignore", "int8 is calibrated on", UserWarning)
            kind.write_int8(model, names, file, images)
        return
    kind.write(with_means(model), names, file, quantization)


def _run_on_tensorflow(folder: str) -> None:
    """Run this module in a process whose Keras backend is TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, folder],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        error = Path(folder, _ERROR)
        reason = error.read_text("utf-8") if error.exists() else done.stderr.strip()[-500:]
        raise RuntimeError(
            "Converting in a process with Keras on TensorFlow failed. "
            f"Received: exit status {done.returncode}, {reason}"
        )


def _answer(folder: Path) -> None:
    """Convert the model in a folder that another process has written."""
    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    images = folder / _IMAGES
    write(
        keras.saving.load_model(folder / _MODEL),
        tuple(request["names"]),
        Path(request["file"]),
        request["quantization"],
        np.load(images) if images.exists() else None,
    )


if __name__ == "__main__":
    try:
        _answer(Path(sys.argv[1]))
    except Exception as error:  # raised by the process that waits for this one
        Path(sys.argv[1], _ERROR).write_text(f"{type(error).__name__}: {error}", "utf-8")
        sys.exit(1)
