"""Export a model for LiteRT, ONNX or OpenVINO, and compare it with the file."""

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_osnet._utils.checks import number, one_of, path_of
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet._utils.file_set import replaced_together
from keras_osnet._utils.files import (
    atomic_path,
    check_folder_of,
    check_regular,
    created_folder,
)
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.architecture.configuration import RE_ID_SIZE
from keras_osnet.deploy.conversion import convert, serve
from keras_osnet.deploy.fidelity import FidelityReport, check_drop, measure_fidelity
from keras_osnet.deploy.formats import FORMATS, format_of, suffixes_with
from keras_osnet.deploy.images import calibration_images, comparison_images, count_shared
from keras_osnet.deploy.targets import Target, target_of
from keras_osnet.deploy.tflite import write_metadata
from keras_osnet.runtime.embedder import Embedder
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.read_metadata import files_of, read_metadata


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    quantization: Literal["float16", "dynamic", "int8"] | None = None,
    calibration: Any = None,
    pixel_range: Literal["0-255", "0-1", "normalized"] | None = None,
    dtype: Literal["uint8", "float32"] | None = None,
    layout: Literal["NHWC", "NCHW"] | None = None,
    channels: Literal["RGB", "BGR"] | None = None,
    names: tuple[str, str] | None = None,
    normalize: bool = True,
    batch: Literal["auto", 1] | None = "auto",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] = (),
    license: str | None = None,
    source: str | None = None,
    images: Any = None,
    max_drop: float | None = None,
) -> FidelityReport:
    """Export a model for LiteRT (TensorFlow Lite), ONNX or OpenVINO, and compare it with the file.

    The suffix of `path` selects the format. By default the file takes RGB pixels of 0–255 and
    preprocesses them itself. Its input is called `image`, its output `embedding`, `predictions` (or
    `logits` without a softmax), `attributes` or `maps`; a `.tflite` file has the signature
    `serving_default`. The file also holds metadata (input range, mean and standard deviation,
    labels, license, source; `keras_osnet.runtime.read_metadata` reads it): a `.tflite` file in
    `keras_osnet.json` and `labels.txt` of a ZIP archive behind the flatbuffer, ONNX in
    `metadata_props`, OpenVINO in `rt_info`, both under the key `keras_osnet`. A `.tflite` file has
    TFLite's standard metadata as well, which MediaPipe and ML Kit read.

    A report of the comparison with the model is written beside it, such as
    `model.tflite.json`. Files appear only when everything has succeeded, and all at once: if the
    process is killed while it moves them into place, the next export or `Embedder` completes this.
    A threshold in the replaced file is not kept, because similarities change; a warning says so.

    Works under every backend of Keras. TensorFlow, which has the converters, must be installed.

    Args:
        model: A functional model with one output, such as any OSNet; in training or inference
            form.
        path: Of the file, ending in `.tflite`, `.onnx` or, for OpenVINO, `.xml`; OpenVINO's
            weights go beside it into a file ending in `.bin`. With `target`, also a folder, which
            is created and in which the file is named as the software expects.
        target: Other software that will load the file: `"boxmot"`, `"ultralytics"`,
            `"deepstream"`, `"mediapipe"`, `"opencv"`, `"triton"` or `"openvino-zoo"`. It prescribes
            `pixel_range`, `dtype`, `layout`, `channels`, `names` and `batch`, which are left out
            then, and other files that are written as well, such as a configuration. The page "Use
            with trackers, OpenCV, servers and browsers" says how to load them.
        quantization: None keeps float32. `"float16"` (`.tflite`, `.xml`) halves the file and
            computes in float32 on CPUs. `"dynamic"` (`.tflite`) stores weights as int8 and
            quantizes each layer's input at run time. `"int8"` (every format) computes in integers
            and needs `calibration`.
        calibration: Images like those that the model will see, for `"int8"`: a folder, a list of
            files, or an array (n, height, width, 3), uint8, RGB. At least 8, better 64 or more; of
            more than 160, as many are chosen evenly.
        pixel_range: Range of the images that the file takes: `"0-255"` (the default), `"0-1"`, or
            `"normalized"`, which is (pixel / 255 - mean) / std per channel.
        dtype: Type of the images: `"uint8"`, as cameras and decoders give them, the default for
            `"0-255"`; or `"float32"`, the only one for `"0-1"` and `"normalized"`.
        layout: Of the image tensor: `"NHWC"` (batch, height, width, 3), the default, or `"NCHW"`
            (batch, 3, height, width), as programs for PyTorch's models give it.
        channels: Order of the image tensor's colors: `"RGB"` (the default), or `"BGR"` as OpenCV
            reads images. The kernel of the first convolution is turned, which costs nothing at run
            time.
        names: Names of the input and the output in the file; the two above by default.
        normalize: Scale embeddings to length 1. Other outputs stay as they are, and so does an
            embedding that the model itself scales.
        batch: 1, or None for any number of images at once; `"auto"` is 1 for `.tflite` and None
            for the others.
        mean: Of red, green and blue in 0–1, that the model was trained with, if it has no
            preprocessing inside; ImageNet's by default.
        std: Their standard deviations; given with `mean`.
        labels: Name of each class or attribute.
        license: Of the weights, such as `"MIT"`.
        source: Where the weights come from. Of a local file, its name and SHA-256 digest are
            written, not its path.
        images: Images of the comparison; see `measure_fidelity`. Not those of `calibration`, on
            which a file loses less than on new ones. By default these in spite of that, which the
            report says; and without these synthetic people.
        max_drop: The most that the file may lose, in percentage points: of rank-1 and of mAP where
            `images` have identities; else of the share of predictions that agree; for embeddings
            without identities, of 100 times the cosine of the worst image. None allows everything.

    Returns:
        The report that was written beside the file.

    Raises:
        ValueError: An argument is wrong, the format has no such quantization, the model is not
            one image in, one result out, or its weights or results are NaN or infinite.
        FidelityError: The file loses more than `max_drop`; none was written.
        FileNotFoundError: The folder does not exist.
        ImportError: TensorFlow, Pillow, or a package for the format (LiteRT; tf2onnx, onnx and
            onnxruntime; OpenVINO and scipy) is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> report = export(model, getfixture("tmp_path") / "osnet.tflite")
        >>> report.max_relative_difference < 1e-4, report.off_xnnpack
        (True, ('1 × CAST',))
    """
    given = {
        **{"pixel_range": pixel_range, "dtype": dtype, "layout": layout, "channels": channels},
        "names": names,
    }
    tensor: dict[str, Any] = {name: each for name, each in given.items() if each is not None}
    if batch != "auto":
        tensor["batch"] = batch
    if target is None:
        record = None
        written = path_of("path", path)
        check_folder_of(written)
        tensor = {"batch": format_of(written).batch, **tensor}
    else:
        record = target_of(target)
        _check_left_out(target, tensor)
        written = record.file_of(path, model.name)
        tensor = record.arguments
    kind = format_of(written)
    _check_quantization(written.suffix, quantization, calibration)
    if max_drop is not None:
        number("max_drop", max_drop, 0)
    served = serve(
        model,
        **tensor,
        normalize=normalize,
        mean=mean,
        std=std,
        quantization=quantization,
        labels=labels,
        license=license,
        source=source,
    )
    if record is not None:
        _check_taken(record, served.metadata)
    height, width = served.metadata.image_size
    image_size = height or RE_ID_SIZE[0], width or RE_ID_SIZE[1]
    calibrated = calibration_images(calibration, image_size) if quantization == "int8" else None
    compared = None if images is None else comparison_images(images, image_size)
    shared = 0
    if calibrated is not None:
        if compared is None:
            compared = comparison_images(calibrated, image_size)
            shared = len(calibrated)
        else:
            shared = count_shared(calibration, calibrated, images, compared)

    sidecars = {} if record is None else record.sidecars_of(written, served.metadata)
    beside = {each: text for each, text in sidecars.items() if each.parent == written.parent}
    files = [*files_of(written), *(each.name for each in beside)]
    for each in sidecars:
        if each.exists():
            check_regular(each)
    lost = _threshold_of(written)
    folder = nullcontext() if record is None else created_folder(written.parent)
    # In the same folder, so that each file is moved into place in one step.
    with folder, replaced_together(written, files) as temporary:
        file = temporary / written.name
        convert(served, file, None if calibrated is None else served.metadata.to_input(calibrated))
        kind.describe(file, served.metadata, served.names)
        report = measure_fidelity(model, file, compared)
        report = dataclasses.replace(report, calibration_images=min(shared, report.images))
        check_drop(report, max_drop)
        report.save(file.with_name(f"{file.name}.json"))
        for each, text in beside.items():
            (temporary / each.name).write_text(text, encoding="utf-8")
    for each in sidecars.keys() - beside.keys():  # in another folder, such as Triton's
        with atomic_path(each) as unfinished:
            unfinished.write_text(sidecars[each], encoding="utf-8")
    if lost is not None:
        warn_user(
            f"{written.name} replaced a file with the threshold {lost:.4f}, and has none: "
            "similarities change with weights and quantization. `keras-osnet threshold` chooses "
            "one for the new file."
        )
    return report


def litert_embedder(model: keras.Model, *, threads: int | None = None) -> Embedder:
    """Export a model in float32 to a temporary LiteRT file and open it in an `Embedder`.

    On a CPU, embedding with the result is several times faster than with Keras. The file is
    removed when the function returns; `export` writes one to keep.

    Args:
        model: A functional model with one output (batch, dim), such as
            `keras_osnet.OSNet(head="embedding", weights=…)`, of images of a fixed size.
        threads: Number of threads that the engine uses; by default, all processors.

    Raises:
        ValueError: `export` does not take the model, or it does not end in an embedding.
        ImportError: TensorFlow, LiteRT or Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_person
        >>> from keras_osnet.deploy import litert_embedder
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> embedder = litert_embedder(model)
        >>> embedder([synthetic_person(identity=0, camera=0, view=0)]).shape
        (1, 512)
    """
    served = serve(model)
    if served.metadata.output_kind != "embedding":
        raise ValueError(
            "`model` must end in an embedding; "
            "keras_osnet.architecture.feature_extractor(model) returns such a part of a "
            f"classifier. Received: {model.name}, which ends in {served.names[1]}"
        )
    with tempfile.TemporaryDirectory(prefix="keras-osnet-") as folder:
        file = Path(folder, "model.tflite")
        convert(served, file)
        write_metadata(file, served.metadata, served.names)
        return Embedder(file, threads=threads)


def _threshold_of(file: Path) -> float | None:
    """Return the similarity of the threshold in a file that is to be replaced, None without one."""
    try:
        metadata = read_metadata(file)
    except (OSError, ValueError):  # there is none, or it is of another kind or damaged
        return None
    return None if metadata is None or metadata.threshold is None else metadata.threshold.similarity


def _check_left_out(target: str, tensor: dict[str, Any]) -> None:
    """Raise ValueError if an argument is given that the target prescribes."""
    for name, value in tensor.items():
        raise ValueError(
            f'`{name}` is prescribed by `target="{target}"`; leave it out, or leave the target out '
            f"and describe the image tensor yourself. Received: {name}={value!r}"
        )


def _check_taken(target: Target, metadata: ModelMetadata) -> None:
    """Raise ValueError unless the software can load the model."""
    if metadata.output_kind != "embedding":
        raise ValueError(
            f"`model` must end in an embedding for {target.title}; "
            "keras_osnet.architecture.feature_extractor(model) returns such a part of a "
            f"classifier. Received: {metadata.name}, whose output is of kind "
            f"{metadata.output_kind!r}"
        )
    if None in metadata.image_size:
        raise ValueError(
            f"`model` must take images of one size for {target.title}. "
            f"Received: {metadata.name} of images {metadata.image_size}"
        )
    own = (*metadata.mean, *metadata.std)
    if target.pixel_range == "normalized" and not np.allclose(own, (*MEAN, *STD), atol=1e-6):
        raise ValueError(
            f"`model` must take images that are normalized by ImageNet's mean and standard "
            f"deviation, because {target.title} does that. Received: mean={metadata.mean}, "
            f"std={metadata.std} of {metadata.name}"
        )


def _check_quantization(suffix: str, quantization: str | None, calibration: Any) -> None:
    every = dict.fromkeys(each for kind in FORMATS.values() for each in kind.quantizations)
    one_of("quantization", quantization, list(every))
    takers = suffixes_with(quantization)
    if suffix not in takers:
        raise ValueError(
            f'`quantization="{quantization}"` is for {" and ".join(takers)} files. '
            f"Received: a path ending in {suffix}"
        )
    if calibration is not None and quantization != "int8":
        raise ValueError(
            f'`calibration` is for `quantization="int8"`. Received: quantization={quantization!r}'
        )
