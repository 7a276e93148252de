"""One call from a model to a proven file for LiteRT (TensorFlow Lite)."""

import os
from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_osnet.deploy import embedded_metadata
from keras_osnet.deploy.export import export
from keras_osnet.deploy.fidelity_report import FidelityReport


def export_tflite(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantization: Literal["float16", "dynamic", "int8"] | None = None,
    calibration: Any = None,
    input: Literal["uint8", "float32"] = "uint8",
    normalize: bool = True,
    batch: int | None = 1,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] = (),
    licence: str | None = None,
    source: str | None = None,
    pictures: Any = None,
    max_drop: float | None = None,
) -> FidelityReport:
    """Export a model for LiteRT (TensorFlow Lite), and prove the file on pictures.

    The file takes RGB pixels of 0–255 and preprocesses them itself; its signature
    `serving_default` has the input `image` and the output `embedding`, `predictions` (or `logits`
    without a softmax), `attributes` or `maps`. Behind the flatbuffer it holds, as a ZIP that any
    reader of ZIP opens, a description (`keras_osnet.json`: input range, mean and standard
    deviation, labels, licence, source; see `keras_osnet.runtime.ModelMetadata`) and
    `labels.txt`.

    Beside it a report is written, `model.tflite.json`, of how the file compares with the model.
    Files appear only when all has gone well.

    Works under every backend of Keras. TensorFlow, which has the converter, must be installed.

    Args:
        model: A functional model with one output, such as any OSNet; in training or inference
            form.
        path: Of the file, ending in `.tflite`.
        quantization: None keeps float32. `"float16"` halves the file and computes in float32 on
            CPUs. `"dynamic"` stores weights as int8 and quantises each layer's input as it comes.
            `"int8"` computes in integers and needs `calibration`.
        calibration: Pictures like those that the model will see, for `"int8"`: a folder, a list of
            files, or an array (n, height, width, 3), uint8, RGB. 8 at least, 64 or more are
            better; of more than 160, as many are chosen evenly.
        input: Type of the pixels, RGB of 0–255 either way: `"uint8"`, as cameras and decoders give
            them, or `"float32"`.
        normalize: Scale embeddings to length 1. Other outputs stay as they are, and so does an
            embedding that the model itself scales.
        batch: 1, or None for any number of images at once.
        mean: Of red, green and blue in 0–1, that the model was trained with, if it has no
            preprocessing inside; ImageNet's by default.
        std: Their standard deviations; given with `mean`.
        labels: Name of each class or attribute.
        licence: Of the weights, such as `"MIT"`.
        source: Where the weights come from.
        pictures: What the file is proven on; see `measure_fidelity`. By default those of
            `calibration`, and without these drawn people.
        max_drop: The most that the file may lose, in points of 100: of rank-1 and of mAP where
            `pictures` have identities; else of the share of predictions that agree; for embeddings
            without identities, of the cosine of the worst picture. None allows everything.

    Returns:
        The figures that were written beside the file.

    Raises:
        ValueError: An argument is wrong, or the model is not one image in, one result out.
        FidelityError: The file loses more than `max_drop`; none was written.
        FileNotFoundError: The folder does not exist.
        ImportError: TensorFlow, LiteRT or Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export_tflite
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> report = export_tflite(model, getfixture("tmp_path") / "osnet.tflite")
        >>> report.max_relative_difference < 1e-4, report.off_xnnpack
        (True, ('1 × CAST',))
    """
    return export(
        model,
        path,
        lambda file, served: embedded_metadata.describe_tflite(file, served.description),
        suffix=".tflite",
        quantizations=(None, "float16", "dynamic", "int8"),
        quantization=quantization,
        calibration=calibration,
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
