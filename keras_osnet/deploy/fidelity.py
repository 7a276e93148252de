"""Compare an exported file with the model that it was made from."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.files import write_json
from keras_osnet.architecture.configuration import RE_ID_SIZE
from keras_osnet.architecture.inference import inference_of
from keras_osnet.architecture.preprocessing import takes_pixels
from keras_osnet.data.load_images import load_images
from keras_osnet.data.records import EmbeddedImages, ReidDataset, ranking_labels
from keras_osnet.deploy.images import comparison_images
from keras_osnet.deploy.tflite import off_gpu, off_xnnpack
from keras_osnet.metrics import evaluate_features
from keras_osnet.runtime.engines import Engine, open_engine, usable_cpus
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.read_metadata import read_model_file

_CHUNK = 32
_MOST_LOST = 2.0
"""Percentage points that a file may lose and still be called ready."""

_TIMED_RUNS = 30
_TIMED_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class FidelityReport:
    """Agreement of an exported file with its Keras model, on the same images.

    Attributes:
        file: Name of the file.
        digest: SHA-256 digest in the file's metadata, which says of which file this is the report;
            as long as no threshold has been written into it.
        quantization: None (float32), `"float16"`, `"dynamic"` or `"int8"`.
        size_bytes: Size of the file, with OpenVINO's weights.
        engine: Engine that ran the file: `"litert"`, `"onnxruntime"` or `"openvino"`.
        threads: Number of threads that the engine used.
        latency_ms: Median time of one image, in milliseconds, on this machine.
        images: Number of images that were compared.
        synthetic: Whether these were synthetic people, because no real images were given.
        max_relative_difference: Largest absolute difference between the outputs, divided by the
            largest absolute value of the Keras model's output.
        cosine_median: Cosine between the two outputs, median over the images.
        cosine_min: Cosine of the image where they differ most.
        agreement: Share of the images whose first class is the same; of attributes, share of the
            answers (0.5 or above, or below) that are the same. None for embeddings and feature
            maps.
        max_score_difference: Largest difference of any class's or attribute's score. None for
            embeddings and feature maps.
        rank_1: Rank-1 of the file's embeddings, 0–1; None if the images have no identities.
        rank_1_model: Rank-1 of the Keras model's embeddings.
        mean_average_precision: mAP of the file's embeddings, 0–1.
        mean_average_precision_model: mAP of the Keras model's embeddings.
        off_gpu: Operations that TFLite's GPU delegate does not support, such as `"1 × CAST"`;
            None for other formats.
        off_xnnpack: Operations that XNNPACK, which computes on CPUs, left to the slower built-in
            kernels, such as `"2 × GATHER"`; None for other formats.
        calibration_images: Number of these images that int8 was calibrated with; on new ones, a
            file loses more.
    """

    file: str
    digest: str | None
    quantization: str | None
    size_bytes: int
    engine: str
    threads: int
    latency_ms: float
    images: int
    synthetic: bool
    max_relative_difference: float
    cosine_median: float
    cosine_min: float
    agreement: float | None = None
    max_score_difference: float | None = None
    rank_1: float | None = None
    rank_1_model: float | None = None
    mean_average_precision: float | None = None
    mean_average_precision_model: float | None = None
    off_gpu: tuple[str, ...] | None = None
    off_xnnpack: tuple[str, ...] | None = None
    calibration_images: int = 0

    @property
    def losses(self) -> dict[str, float]:
        """Losses of the file against the model, in percentage points, by the name of the measure.

        Rank-1 and mAP where the images have identities; else the agreement of predictions; else
        the cosine of the worst image. A negative loss is a gain.
        """
        if self.rank_1 is not None and self.rank_1_model is not None:
            model, own = self.mean_average_precision_model or 0, self.mean_average_precision or 0
            return {
                "rank-1": 100 * (self.rank_1_model - self.rank_1),
                "mAP": 100 * (model - own),
            }
        if self.agreement is not None:
            return {"agreement": 100 * (1 - self.agreement)}
        return {"minimum cosine": 100 * (1 - self.cosine_min)}

    @property
    def is_ready(self) -> bool:
        """Whether the file loses at most two percentage points on the images of the comparison.

        These are points of rank-1 and of mAP where the images have identities; else of the
        predictions that agree; else of 100 times the median cosine. NaN is a loss.
        """
        judged = self.losses
        if "minimum cosine" in judged:
            judged = {"median cosine": 100 * (1 - self.cosine_median)}
        return all(loss <= _MOST_LOST for loss in judged.values())

    @property
    def advice(self) -> str | None:
        """What to do with a file that is not ready; None for one that is."""
        if self.is_ready:
            return None
        lost = ", ".join(f"{name} {loss:.1f}" for name, loss in self.losses.items())
        cures = {
            None: "Export the model again.",
            "float16": "Export it without quantization.",
            "dynamic": "Use float16, or no quantization.",
            "int8": "Use float16, which loses nearly nothing; or calibrate with more images, 64 or "
            "more, of several people and cameras, like those that the file will see.",
        }
        return (
            f"Not ready to use: the file loses more than {_MOST_LOST:g} percentage points against "
            f"the model ({lost}). {cures[self.quantization]}"
        )

    def table(self) -> list[tuple[str, str]]:
        """Return rows of (name, value) to print."""
        note = " (synthetic people; use real images)" if self.synthetic else ""
        if self.calibration_images:
            note = f" ({self.calibration_images} of the calibration; new ones lose more)"
        rows = [
            ("file", f"{self.file}, {self.size_bytes:,} bytes"),
            ("weights", self.quantization or "float32"),
            ("images", f"{self.images}{note}"),
            ("cosine", f"median {self.cosine_median:.6f}, minimum {self.cosine_min:.6f}"),
            ("largest relative difference", f"{self.max_relative_difference:.2e}"),
        ]
        if self.agreement is not None:
            rows += [
                ("same predictions", f"{100 * self.agreement:.2f} %"),
                ("largest difference of a score", f"{self.max_score_difference:.2e}"),
            ]
        for name, own, model in (
            ("rank-1", self.rank_1, self.rank_1_model),
            ("mAP", self.mean_average_precision, self.mean_average_precision_model),
        ):
            if own is not None and model is not None:
                change = 100 * (own - model)
                rows.append(
                    (name, f"{100 * own:.2f} % (Keras model {100 * model:.2f} %, {change:+.2f})")
                )
        rows.append(("latency", f"{self.latency_ms:.2f} ms, {self.engine}, {self.threads} threads"))
        for name, operations in (
            ("off the GPU delegate", self.off_gpu),
            ("off XNNPACK", self.off_xnnpack),
        ):
            if operations is not None:
                rows.append((name, "; ".join(operations) or "nothing"))
        rows.append(("ready", self.advice or "yes"))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, `ready` and `advice` as a dictionary that JSON can hold."""
        return {**dataclasses.asdict(self), "ready": self.is_ready, "advice": self.advice}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON, atomically.

        Raises:
            FileNotFoundError: The folder does not exist.
        """
        write_json(path_of("path", path), self.to_dict())


class FidelityError(ValueError):
    """The exported file lost more than `max_drop` allows; no file was written.

    Attributes:
        report: The comparison.
    """

    def __init__(self, report: FidelityReport, max_drop: float) -> None:
        lost = ", ".join(f"{name} {loss:.3f}" for name, loss in report.losses.items())
        table = "; ".join(f"{name}: {value}" for name, value in report.table())
        super().__init__(
            f"The exported file loses more than `max_drop` allows, and was not written: {lost} "
            f"percentage points. Received: max_drop={max_drop}; {table}"
        )
        self.report = report


def check_drop(report: FidelityReport, max_drop: float | None) -> None:
    """Raise FidelityError if the file loses more than `max_drop` points of any measure."""
    # Not "loss > max_drop": a NaN counts as a loss.
    if max_drop is not None and not all(loss <= max_drop for loss in report.losses.values()):
        raise FidelityError(report, max_drop)


def measure_fidelity(
    model: keras.Model,
    path: str | os.PathLike[str],
    images: Any = None,
    *,
    threads: int | None = None,
) -> FidelityReport:
    """Compare an exported file with the model that it was made from.

    Args:
        model: The Keras model that was exported.
        path: The `.tflite`, `.onnx` or `.xml` file, written by `keras_osnet.deploy`.
        images: Images of the comparison: a folder, a list of files or an array
            (n, height, width, 3), uint8, RGB, of which at most 256 are used; or a
            `keras_osnet.data.ReidDataset`, on whose query and gallery rank-1 and mAP are measured
            as well. None uses synthetic people, which are enough to detect a broken file.
        threads: Number of threads that the engine uses; all processors by default.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file was not written by keras-osnet, `images` are of another kind, or the
            model or the file computes numbers that are not finite.
        ImportError: Pillow or the file's engine is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import export, measure_fidelity
        >>> path = getfixture("tmp_path") / "model.tflite"
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> _ = export(model, path)
        >>> measure_fidelity(model, path).cosine_min > 0.99999
        True
    """
    file = path_of("path", path)
    opened = read_model_file(file)
    metadata = opened.metadata
    if metadata is None:
        raise ValueError(f"`path` must be a file that keras-osnet wrote. Received: {file}")
    threads = threads or usable_cpus()
    engine = open_engine(opened, threads=threads)
    height, width = metadata.image_size
    image_size = (height or RE_ID_SIZE[0], width or RE_ID_SIZE[1])
    compared = comparison_images(images, image_size)
    if isinstance(compared, ReidDataset):
        people = (*compared.query, *compared.gallery)
        files = list(dict.fromkeys(person.path for person in people))
        infer = inference_of(model, len(files), _CHUNK)
        chunks = _chunks_of_files(files, image_size)
        outputs = _run_both(model, infer, engine, metadata, file, chunks)
        ranking = _ranking(outputs, compared)
    else:
        infer = inference_of(model, len(compared), _CHUNK)
        outputs = _run_both(model, infer, engine, metadata, file, _chunks(compared))
        ranking = {}
    is_tflite = opened.kind == ".tflite"
    return FidelityReport(
        file=file.name,
        digest=metadata.digest,
        quantization=metadata.quantization,
        size_bytes=len(opened.content) + len(opened.weights or b""),
        engine=engine.name,
        threads=threads,
        latency_ms=_latency(engine, outputs.first),
        images=len(outputs.own),
        synthetic=images is None,
        **_differences(outputs, metadata.output_kind),
        **ranking,
        off_gpu=off_gpu(file) if is_tflite else None,
        off_xnnpack=off_xnnpack(file) if is_tflite else None,
        calibration_images=0,
    )


@dataclass(frozen=True, eq=False)
class _Outputs:
    """Results of the model and the file for the same images."""

    model: NDArray[np.float32]
    own: NDArray[np.float32]
    paths: list[Path]
    first: NDArray


def _run_both(
    model: keras.Model,
    infer: Callable[[NDArray], Any],
    engine: Engine,
    metadata: ModelMetadata,
    path: Path,
    chunks: Iterator[tuple[NDArray[np.uint8], Sequence[Path]]],
) -> _Outputs:
    expected, own, first = [], [], None
    files: list[Path] = []
    for images, paths in chunks:
        scaled = metadata.to_input(images).astype(metadata.dtype, copy=False)
        first = scaled[:1] if first is None else first
        expected.append(_keras_output(model, infer, images, metadata))
        own.append(engine.run(scaled))
        files += paths
    for name, outputs in (("The Keras model", expected), ("The file", own)):
        if not all(np.isfinite(each).all() for each in outputs):
            raise ValueError(
                f"{name} computes numbers that are not finite from `images`; a file like this "
                f"cannot be used. Received: {path.name}, a model called {model.name}"
            )
    if first is None:
        raise ValueError("`images` has no image that can be read. Received: 0 of them")
    return _Outputs(np.concatenate(expected), np.concatenate(own), files, first)


def _keras_output(
    model: keras.Model,
    infer: Callable[[NDArray], Any],
    images: NDArray[np.uint8],
    metadata: ModelMetadata,
) -> NDArray[np.float32]:
    pixels: NDArray = images
    if not takes_pixels(model):
        mean, std = (np.array(each, np.float32) for each in (metadata.mean, metadata.std))
        pixels = (images.astype(np.float32) / np.float32(255) - mean) / std
    output = np.asarray(keras.tree.flatten(infer(pixels))[0], np.float32)
    if metadata.l2_normalized:
        output = output / np.maximum(np.linalg.norm(output, axis=-1, keepdims=True), 1e-12)
    return output


def _differences(outputs: _Outputs, kind: str) -> dict[str, float]:
    expected, own = (each.reshape(len(each), -1) for each in (outputs.model, outputs.own))
    difference = np.abs(own - expected)
    products = np.linalg.norm(expected, axis=1) * np.linalg.norm(own, axis=1)
    same = (expected == own).all(axis=1)  # also two vectors of zeros
    cosine = np.where(same, 1.0, (expected * own).sum(axis=1) / np.maximum(products, 1e-12))
    measured = {
        "max_relative_difference": float(difference.max() / max(np.abs(expected).max(), 1e-12)),
        "cosine_median": float(np.median(cosine)),
        "cosine_min": float(cosine.min()),
    }
    if kind in ("classification", "attribute"):
        if kind == "classification":
            agreement = expected.argmax(axis=1) == own.argmax(axis=1)
        else:
            agreement = (expected >= 0.5) == (own >= 0.5)
        measured["agreement"] = float(agreement.mean())
        measured["max_score_difference"] = float(difference.max())
    return measured


def _ranking(outputs: _Outputs, dataset: ReidDataset) -> dict[str, float]:
    known = set(outputs.paths)
    query, gallery = (
        [person for person in side if person.path in known]
        for side in (dataset.query, dataset.gallery)
    )
    measured = {}
    for name, vectors in (("_model", outputs.model), ("", outputs.own)):
        embedded = EmbeddedImages(vectors, outputs.paths, unreadable={})
        ranking = evaluate_features(
            embedded.vectors_of(query),
            embedded.vectors_of(gallery),
            *ranking_labels(query, gallery),
            metric="cosine",
        )
        measured[f"rank_1{name}"] = ranking.rank(1)
        measured[f"mean_average_precision{name}"] = ranking.mean_average_precision
    return measured


def _chunks(images: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], Sequence[Path]]]:
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK], ()


def _chunks_of_files(
    files: Sequence[Path], image_size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.uint8], Sequence[Path]]]:
    for start in range(0, len(files), _CHUNK):
        loaded = load_images(files[start : start + _CHUNK], image_size)
        if loaded.paths:
            yield loaded.images, loaded.paths


def _latency(engine: Engine, image: NDArray) -> float:
    """Return the median time of one image in milliseconds."""
    for _ in range(3):
        engine.run(image)
    times: list[float] = []
    end = time.perf_counter() + _TIMED_SECONDS
    while len(times) < _TIMED_RUNS and (not times or time.perf_counter() < end):
        start = time.perf_counter()
        engine.run(image)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
