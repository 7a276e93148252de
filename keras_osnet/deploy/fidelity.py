"""Running an exported file beside the model that it was made from."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.architecture.inputs import RE_ID_SIZE
from keras_osnet.architecture.preprocessing import takes_pixels
from keras_osnet.data.datasets.records import ReidDataset, ranking_labels
from keras_osnet.data.images import load_images
from keras_osnet.deploy.fidelity_report import FidelityReport
from keras_osnet.deploy.operations import off_gpu, off_xnnpack
from keras_osnet.deploy.pictures import drawn_pictures, read_pictures
from keras_osnet.metrics import evaluate_features
from keras_osnet.runtime.engines import Engine, open_engine, usable_cpus
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.stored_metadata import read_description

_CHUNK = 32
_MOST = 256
"""Pictures without identities that are compared; more tell no more."""

_TIMED_RUNS = 30
_TIMED_SECONDS = 2.0


def measure_fidelity(
    model: keras.Model,
    path: str | os.PathLike[str],
    pictures: Any = None,
    *,
    threads: int | None = None,
) -> FidelityReport:
    """Compare an exported file with the model that it was made from.

    Args:
        model: The Keras model that was exported.
        path: The `.tflite`, `.onnx` or `.xml` file, written by `keras_osnet.deploy`.
        pictures: What to compare them on: a folder, a list of files or an array
            (n, height, width, 3), uint8, RGB, of which at most 256 are taken; or a
            `keras_osnet.data.ReidDataset`, on whose query and gallery rank-1 and mAP are measured
            as well. None draws people, which tells a broken file from a good one but no more.
        threads: How many threads the engine computes with; all processors by default.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file was not written by keras-osnet, or `pictures` are none of these.
        ImportError: Pillow or the file's engine is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export_tflite, measure_fidelity
        >>> path = getfixture("tmp_path") / "model.tflite"
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> _ = export_tflite(model, path)
        >>> measure_fidelity(model, path).cosine_min > 0.99999
        True
    """
    file = Path(path)
    description = read_description(file)
    if description is None:
        raise ValueError(f"`path` must be a file that keras-osnet wrote. Received: {file}")
    threads = threads or usable_cpus()
    engine = open_engine(file, "auto", precision="float32", threads=threads)
    height, width = description.image_size
    size = (height or RE_ID_SIZE[0], width or RE_ID_SIZE[1])
    images = check_pictures(pictures, size)
    if isinstance(images, ReidDataset):
        outputs = _run_both(model, engine, description, _chunks_of_people(images, size))
        ranking = _ranking(outputs, images)
    else:
        outputs = _run_both(model, engine, description, _chunks(images))
        ranking = {}
    is_tflite = file.suffix == ".tflite"
    weights = file.with_suffix(".bin") if file.suffix == ".xml" else None
    return FidelityReport(
        file=file.name,
        quantization=description.quantization,
        size_bytes=file.stat().st_size + (weights.stat().st_size if weights else 0),
        engine=engine.name,
        threads=threads,
        latency_ms=_latency(engine, outputs.first),
        pictures=len(outputs.own),
        drawn=pictures is None,
        **_differences(outputs, description.output_kind),
        **ranking,
        off_gpu=off_gpu(file) if is_tflite else None,
        off_xnnpack=off_xnnpack(file) if is_tflite else None,
    )


def check_pictures(given: Any, image_size: tuple[int, int]) -> NDArray[np.uint8] | ReidDataset:
    """Return people as they are, other pictures as an array (n, *size, 3), or draw some for None.

    Raises:
        ValueError: `given` is no pictures, or people of whom none is looked for.
    """
    if given is None:
        return drawn_pictures(image_size)
    if not isinstance(given, ReidDataset):
        return read_pictures("pictures", given, image_size, _MOST)
    if not given.query or not given.gallery:
        raise ValueError(
            "`pictures` with identities must have a query and a gallery. "
            f"Received: {given.name} with {len(given.query)} queries, {len(given.gallery)} others"
        )
    return given


@dataclass(frozen=True, eq=False)
class _Outputs:
    """What model and file give for the same pictures."""

    model: NDArray[np.float32]
    own: NDArray[np.float32]
    paths: list[Path]
    first: NDArray


def _run_both(
    model: keras.Model,
    engine: Engine,
    description: ModelMetadata,
    chunks: Iterator[tuple[NDArray[np.uint8], Sequence[Path]]],
) -> _Outputs:
    expected, own, first = [], [], None
    files: list[Path] = []
    for images, paths in chunks:
        first = images[:1] if first is None else first
        expected.append(_keras_output(model, images, description))
        own.append(engine.run(images.astype(description.input_dtype)))
        files += paths
    if first is None:
        raise ValueError("`pictures` has no picture that can be read. Received: 0 of them")
    return _Outputs(
        np.concatenate(expected),
        np.concatenate(own),
        files,
        first.astype(description.input_dtype),
    )


def _keras_output(
    model: keras.Model, images: NDArray[np.uint8], description: ModelMetadata
) -> NDArray[np.float32]:
    pixels = images.astype(np.float32)
    if not takes_pixels(model):
        mean, std = (np.array(each, np.float32) for each in (description.mean, description.std))
        pixels = (pixels / np.float32(255) - mean) / std
    given = keras.tree.pack_sequence_as(model.input, [pixels])
    result = keras.tree.flatten(model(given, training=False))[0]
    output = np.asarray(keras.ops.convert_to_numpy(result), np.float32)
    if description.l2_normalized:
        output = output / np.maximum(np.linalg.norm(output, axis=-1, keepdims=True), 1e-12)
    return output


def _differences(outputs: _Outputs, kind: str) -> dict[str, float]:
    expected, own = (each.reshape(len(each), -1) for each in (outputs.model, outputs.own))
    difference = np.abs(own - expected)
    products = np.linalg.norm(expected, axis=1) * np.linalg.norm(own, axis=1)
    same = (expected == own).all(axis=1)  # two vectors of zeros are alike, too
    cosine = np.where(same, 1.0, (expected * own).sum(axis=1) / np.maximum(products, 1e-12))
    figures = {
        "max_relative_difference": float(difference.max() / max(np.abs(expected).max(), 1e-12)),
        "cosine_median": float(np.median(cosine)),
        "cosine_min": float(cosine.min()),
    }
    if kind in ("classification", "attribute"):
        if kind == "classification":
            agreement = expected.argmax(axis=1) == own.argmax(axis=1)
        else:
            agreement = (expected >= 0.5) == (own >= 0.5)
        figures["agreement"] = float(agreement.mean())
        figures["max_score_difference"] = float(difference.max())
    return figures


def _ranking(outputs: _Outputs, dataset: ReidDataset) -> dict[str, float]:
    rows = {path: row for row, path in enumerate(outputs.paths)}
    query, gallery = (
        [person for person in side if person.path in rows]
        for side in (dataset.query, dataset.gallery)
    )
    figures = {}
    for name, vectors in (("_model", outputs.model), ("", outputs.own)):
        ranking = evaluate_features(
            vectors[[rows[person.path] for person in query]],
            vectors[[rows[person.path] for person in gallery]],
            *ranking_labels(query, gallery),
            metric="cosine",
        )
        figures[f"rank_1{name}"] = ranking.rank(1)
        figures[f"mean_average_precision{name}"] = ranking.mean_average_precision
    return figures


def _chunks(images: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], Sequence[Path]]]:
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK], ()


def _chunks_of_people(
    dataset: ReidDataset, image_size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.uint8], Sequence[Path]]]:
    people = (*dataset.query, *dataset.gallery)
    files = list(dict.fromkeys(person.path for person in people))
    for start in range(0, len(files), _CHUNK):
        loaded = load_images(files[start : start + _CHUNK], image_size)
        if loaded.paths:
            yield loaded.images, loaded.paths


def _latency(engine: Engine, image: NDArray) -> float:
    """Median milliseconds of one picture."""
    for _ in range(3):
        engine.run(image)
    times: list[float] = []
    end = time.perf_counter() + _TIMED_SECONDS
    while len(times) < _TIMED_RUNS and (not times or time.perf_counter() < end):
        start = time.perf_counter()
        engine.run(image)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
