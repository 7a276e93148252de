"""One call from a model to proven files for OpenVINO."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from keras_osnet.deploy import embedded_metadata
from keras_osnet.deploy.export import export
from keras_osnet.deploy.fidelity_report import FidelityReport
from keras_osnet.deploy.serving import ServedModel


def export_openvino(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantization: Literal["float16"] | None = None,
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
    """Export a model to OpenVINO's IR, and prove the file on pictures.

    Input and output are called as in a TFLite file; the description is in `rt_info` under
    `keras_osnet`, the report beside the files in `model.xml.json`.

    Args:
        model: As for `export_tflite`.
        path: Of the graph, ending in `.xml`; the weights go beside it, ending in `.bin`.
        quantization: None keeps float32; `"float16"` stores the weights as such. OpenVINO computes
            in the precision that it is asked for, whatever the file holds.
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
        The figures that were written beside the files.

    Raises:
        ValueError: As for `export_tflite`.
        FidelityError: The file loses more than `max_drop`; none was written.
        FileNotFoundError: The folder does not exist.
        ImportError: TensorFlow, OpenVINO, scipy or Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export_openvino
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> export_openvino(model, getfixture("tmp_path") / "osnet.xml").cosine_min > 0.99999
        True
    """

    def describe(file: Path, served: ServedModel) -> None:
        embedded_metadata.describe_openvino(file, served.description, served.output)

    return export(
        model,
        path,
        describe,
        suffix=".xml",
        quantizations=(None, "float16"),
        quantization=quantization,
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
