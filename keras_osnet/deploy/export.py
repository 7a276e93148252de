"""What all exporters do: check, convert, describe, prove, and only then put the file in place."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import one_of
from keras_osnet.architecture.inputs import RE_ID_SIZE
from keras_osnet.deploy.conversion import convert
from keras_osnet.deploy.fidelity import check_pictures, measure_fidelity
from keras_osnet.deploy.fidelity_report import FidelityReport, check_drop
from keras_osnet.deploy.int8.pictures import check_count
from keras_osnet.deploy.pictures import read_pictures
from keras_osnet.deploy.serving import ServedModel, serve


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    describe: Callable[[Path, ServedModel], None],
    *,
    suffix: str,
    quantizations: Sequence[str | None],
    quantization: str | None,
    calibration: Any = None,
    pictures: Any,
    max_drop: float | None,
    **arguments: Any,
) -> FidelityReport:
    """Export a model; the arguments are those of `keras_osnet.deploy.export_tflite`.

    Args:
        model: The model.
        path: Of the file.
        describe: Writes the description into a converted file.
        suffix: That `path` must end in.
        quantizations: The choices for `quantization`.
        quantization: See `export_tflite`, also for the others.
        calibration: Likewise.
        pictures: Likewise.
        max_drop: Likewise.
        **arguments: For `serve`.
    """
    target = Path(path)
    if target.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix}. Received: {target}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent} to write {target.name} to")
    one_of("quantization", quantization, quantizations)
    if max_drop is not None and not max_drop >= 0:
        raise ValueError(f"`max_drop` must be points of 100, from 0. Received: {max_drop!r}")
    served = serve(model, quantization=quantization, **arguments)
    height, width = served.description.image_size
    size = height or RE_ID_SIZE[0], width or RE_ID_SIZE[1]
    images = _calibration(calibration, size) if quantization == "int8" else None
    if pictures is None:
        pictures = images
    if pictures is not None:
        pictures = check_pictures(pictures, size)

    # In the target's own folder, so that putting the files in place is one step each.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".keras-osnet-") as folder:
        file = Path(folder, target.name)
        convert(served, file, images)
        describe(file, served)
        report = measure_fidelity(model, file, pictures)
        check_drop(report, max_drop)
        report.save(file.with_name(f"{file.name}.json"))
        for written in sorted(Path(folder).iterdir(), key=lambda each: each.suffix == suffix):
            written.replace(target.with_name(written.name))
    return report


def _calibration(given: Any, image_size: tuple[int, int]) -> NDArray[np.uint8]:
    if given is None:
        raise ValueError(
            '`quantization="int8"` needs `calibration`: pictures like those that the model will '
            "see, a folder, a list of files or an array. Received: calibration=None"
        )
    images = read_pictures("calibration", given, image_size)
    check_count("calibration", len(images), stacklevel=4)
    return images
