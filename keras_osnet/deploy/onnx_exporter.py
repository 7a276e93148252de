"""One call from a model to a proven ONNX file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from keras_osnet.deploy import embedded_metadata
from keras_osnet.deploy.export import export
from keras_osnet.deploy.fidelity_report import FidelityReport
from keras_osnet.deploy.serving import ServedModel


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    input: Literal["uint8", "float32"] = "uint8",
    normalize: bool = True,
    batch: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] = (),
    licence: str | None = None,
    source: str | None = None,
    pictures: Any = None,
    max_drop: float | None = None,
) -> FidelityReport:
    """Export a model to ONNX in float32, and prove the file on pictures.

    Input and output are called as in a TFLite file; the description is in `metadata_props` under
    `keras_osnet`, the report beside the file in `model.onnx.json`.

    Args:
        model: As for `export_tflite`.
        path: Of the file, ending in `.onnx`.
        input: As for `export_tflite`, and so are the others.
        normalize: See there.
        batch: None for any number of images at once, or 1.
        mean: See there.
        std: See there.
        labels: See there.
        licence: See there.
        source: See there.
        pictures: See there.
        max_drop: See there.

    Returns:
        The figures that were written beside the file.

    Raises:
        ValueError: As for `export_tflite`.
        FidelityError: The file loses more than `max_drop`; none was written.
        FileNotFoundError: The folder does not exist.
        ImportError: TensorFlow, tf2onnx, onnx, onnxruntime or Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export_onnx
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> export_onnx(model, getfixture("tmp_path") / "osnet.onnx").cosine_min > 0.99999
        True
    """

    def describe(file: Path, served: ServedModel) -> None:
        embedded_metadata.describe_onnx(file, served.description, served.output)

    return export(
        model,
        path,
        describe,
        suffix=".onnx",
        quantizations=(None,),
        quantization=None,
        pictures=pictures,
        max_drop=max_drop,
        dtype=input,
        normalize=normalize,
        batch=batch,
        mean=mean,
        std=std,
        labels=labels,
        licence=licence,
        source=source,
    )
