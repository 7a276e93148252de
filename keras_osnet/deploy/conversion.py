"""Convert models to files, in a TensorFlow process if Keras runs on another backend here."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_osnet._utils.optional import check_installed
from keras_osnet.deploy.formats import format_of
from keras_osnet.deploy.int8 import quantize_int8
from keras_osnet.deploy.serving import ServedModel

_MODEL, _IMAGES, _REQUEST = "model.keras", "images.npy", "request.json"


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
        write(served.model, served.output, file, quantization, images)
        return
    with tempfile.TemporaryDirectory(prefix="keras-osnet-") as folder:
        served.model.save(Path(folder, _MODEL))
        if images is not None:
            np.save(Path(folder, _IMAGES), images)
        request = {"output": served.output, "file": str(file), "quantization": quantization}
        Path(folder, _REQUEST).write_text(json.dumps(request), encoding="utf-8")
        _run_on_tensorflow(folder)


def write(
    model: keras.Model,
    output: str,
    file: Path,
    quantization: str | None = None,
    images: NDArray | None = None,
) -> None:
    """Convert in this process, whose backend is TensorFlow.

    Args:
        model: Of a `ServedModel`.
        output: Name of the result in the file.
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
            file.write_bytes(quantize_int8(model, images, output=output))
        return
    kind.function(kind.write)(_with_means(model), output, file, quantization)


def _with_means(model: keras.Model) -> keras.Model:
    """Write every instance norm as two means over the image and a multiply-add.

    Keras's own goes through reshapes: LiteRT takes 1.5 times as long for them with OSNet-AIN x0.25
    and twice with OSNet-IBN x1.0 (one image), and OpenVINO treats the shapes, where the batch is
    open, as further outputs of the model.

    Args:
        model: Flat and functional; its layers are shared with the result.
    """
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call_with_means
    )


def _call_with_means(layer: Any, *inputs: Any, **arguments: Any) -> Any:
    instance = isinstance(layer, keras.layers.GroupNormalization) and (
        layer.groups in (-1, inputs[0].shape[-1])
    )
    if not instance or len(inputs[0].shape) != 4 or layer.axis not in (-1, 3):
        return layer(*inputs, **arguments)
    features = inputs[0]
    mean = _mean(features, f"{layer.name}_mean")
    centered = features - mean
    variance = _mean(centered * centered, f"{layer.name}_variance")
    gain = ops.rsqrt(variance + layer.epsilon)
    if layer.scale:
        gain = gain * ops.convert_to_tensor(layer.gamma)
    offset = -mean * gain
    if layer.center:
        offset = offset + ops.convert_to_tensor(layer.beta)
    return features * gain + offset


def _mean(features: Any, name: str) -> Any:
    """Return the mean over height and width, (batch, 1, 1, channels)."""
    layer = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", keepdims=True, dtype=features.dtype, name=name
    )
    return layer(features)


def _run_on_tensorflow(folder: str) -> None:
    """Run this module in a process whose Keras backend is TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, folder],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            "Converting in a process with Keras on TensorFlow failed. Received:\n"
            + done.stderr.strip()[-2000:]
        )


def _answer(folder: Path) -> None:
    """Convert the model in a folder that another process has written."""
    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    images = folder / _IMAGES
    write(
        keras.saving.load_model(folder / _MODEL),
        request["output"],
        Path(request["file"]),
        request["quantization"],
        np.load(images) if images.exists() else None,
    )


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
