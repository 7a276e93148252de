"""The quickstart: people, a model, fine-tuning, an exported file, and a report."""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils import optional
from keras_osnet._utils.checks import path_of, positive_integer
from keras_osnet._utils.files import read_json, write_json
from keras_osnet.data import PersonImage, ReidDataset, read_people, split_by_identity
from keras_osnet.data.datasets.splits import divide_images
from keras_osnet.data.readable import readable
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.deploy import export
from keras_osnet.deploy.fidelity import FidelityReport
from keras_osnet.evaluation import embed_images, evaluate_embeddings
from keras_osnet.evaluation.retrieval import RetrievalResult
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.quickstart.report import write_report
from keras_osnet.runtime.benchmark import BenchmarkResult, benchmark
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import load_recipe, train
from keras_osnet.training.trainer import check_folder

SYNTHETIC_PEOPLE, CAMERAS, VIEWS = 100, 2, 4
"""Size of the synthetic dataset; half of the people are for training, half for testing."""

SYNTHETIC_SEED = 1
"""Seed of people and cameras that no weights of this package were trained on."""

SYNTHETIC_SIZE = (128, 64)

_RECORD = "quickstart.json"
"""In the folder: the arguments of the call."""

_NEEDED = ("tensorflow", "ai_edge_litert", "litert_quantizer", "matplotlib", "sklearn", "jinja2")

_FEWEST = 2
"""Least number of people on each side: one alone cannot be confused with anyone."""


@dataclass(frozen=True, eq=False)
class QuickstartResult:
    """Models, files and measurements of the quickstart.

    Attributes:
        folder: The folder of all files.
        weights: The initial weights.
        width: The width multiplier that a tag was looked up for.
        dataset: The people: those trained on, and queries and gallery of the others.
        data: The argument; None for synthetic people.
        models: The model before and after fine-tuning.
        embeddings: Embeddings of queries and gallery before and after fine-tuning.
        before: Retrieval metrics before fine-tuning.
        after: Retrieval metrics after fine-tuning.
        fidelities: The exported files compared with the model, each with its own rank-1 and mAP.
        speeds: Speed of the exported files.
        model: File of the fine-tuned model.
        files: The exported files: float32, int8.
        report: The report, a page to open in a browser.
        seconds: Duration of each step by its name.
    """

    folder: Path
    weights: str
    width: float | None
    dataset: ReidDataset
    data: Path | None
    models: tuple[keras.Model, keras.Model]
    embeddings: tuple[EmbeddedImages, EmbeddedImages]
    before: RetrievalResult
    after: RetrievalResult
    fidelities: Sequence[FidelityReport]
    speeds: Sequence[BenchmarkResult]
    model: Path
    files: Sequence[Path]
    report: Path
    seconds: dict[str, float]

    @property
    def synthetic(self) -> bool:
        """Whether the people are synthetic."""
        return self.data is None

    @property
    def fidelity(self) -> FidelityReport:
        """The int8 file compared with the model."""
        return self.fidelities[1]

    @property
    def ready_file(self) -> Path:
        """The file to use: int8, unless that loses more than two points of rank-1 or mAP."""
        return self.files[1 if self.fidelity.is_ready else 0]


def quickstart(
    folder: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str = "synthetic",
    width: float | None = 0.25,
    epochs: int = 6,
    log: Callable[[str], None] = print,
    verbose: int | str = "auto",
) -> QuickstartResult:
    """Fine-tune a model on people, test and export it, and write a report.

    Nothing is downloaded without `data` and with the weights that come with the package. The model
    is trained on half of the people and tested on the others, under the same cameras, unless a
    table has queries and a gallery. An interrupted call is continued. The int8 file is compared
    with the model on the queries and the gallery, and is not called ready if it loses more than two
    points of rank-1 or mAP.

    Args:
        folder: Folder for all files: new, empty, or of the same call, which is then continued.
        data: People of your own, at least four, as for `keras_osnet.data.read_people`; synthetic
            people by default. Unreadable images are left out with a warning.
        weights: Initial weights: a tag, a file, or `"hf://owner/repo[/file][@revision]"`.
        width: Width multiplier that a tag is looked up for; None takes a file's own.
        epochs: Number of epochs, at least 1.
        log: Called with the lines of the progress messages.
        verbose: As for `fit`.

    Returns:
        A `QuickstartResult`; its `report` is a page to open in a browser.

    Raises:
        ValueError: An argument is wrong, or there are too few people.
        FileExistsError: `folder` has other content, or is of a call with other arguments.
        OSError: The data or weights cannot be read.
        ImportError: A package is not installed; nothing was written.
    """
    for module in _NEEDED:
        optional.check_installed(module, "The quickstart", extra="quickstart")
    positive_integer("epochs", epochs)
    checkpoint = open_checkpoint(weights, width=width)
    root, steps = path_of("folder", folder), _Steps(log)
    source = None if data is None else Path(data)
    arguments = {"data": source and str(source.absolute()), "weights": str(weights)}
    _check_folder(root, arguments | {"width": width, "epochs": epochs})

    with steps.step("people", "Drawing synthetic people" if data is None else f"Reading {data}"):
        people = None if source is None else own_people(source)
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / _RECORD, arguments | {"width": width, "epochs": epochs})
        people = people or _synthetic_people(root)
    size = SYNTHETIC_SIZE if data is None else checkpoint.embedding_size
    model = checkpoint.build(head="embedding", image_size=size, include_preprocessing=True)[0]
    recipe = load_recipe("few_people").with_epochs(epochs)
    recipe = recipe.with_overrides({"validation_fraction": 0.0})
    check_folder(recipe, model, people, root / "training")
    untrained = keras.models.clone_model(model)
    untrained.set_weights(model.get_weights())
    log(_counts(people))

    with steps.step("search", f"Testing the weights {weights!r} before fine-tuning"):
        embedded_before, before = _test(untrained, people)
    log(_metrics(before))

    with steps.step("training", f"Fine-tuning for {epochs} epochs on the training people"):
        with warnings.catch_warnings():
            # The report has the metrics.
            warnings.filterwarnings("ignore", "TensorBoard is not installed")
            run = train(recipe, model, people, root / "training", in_memory=True, verbose=verbose)
        trained = run.embedders[0]
        embedded_after, after = _test(trained, people)
    log(_metrics(after))

    with steps.step("export", "Exporting to LiteRT with 8-bit weights"):
        files = [root / "osnet-float32.tflite", root / "osnet-int8.tflite"]
        calibration = [image.path for image in people.train]
        reports = [
            export(trained, files[0], images=people),
            export(trained, files[1], quantization="int8", calibration=calibration, images=people),
        ]
        speeds = benchmark(files, rounds=3)
        # One latency for one file: with resizing, in a process of its own.
        fidelities = [
            replace(report, latency_ms=speed.latency.median)
            for report, speed in zip(reports, speeds, strict=True)
        ]

    result = QuickstartResult(
        folder=root,
        weights=str(weights),
        width=width,
        dataset=people,
        data=source,
        models=(untrained, trained),
        embeddings=(embedded_before, embedded_after),
        before=before,
        after=after,
        fidelities=fidelities,
        speeds=speeds,
        model=root / "training" / "last.keras",
        files=files,
        report=root / "report.html",
        seconds=steps.seconds,
    )
    with steps.step("report", "Writing the report"):
        write_report(result, result.report)
    return result


def _check_folder(root: Path, arguments: Mapping[str, Any]) -> None:
    """Raise FileExistsError unless a folder is new, empty, or of a call with these arguments."""
    if not root.exists():
        return
    names = sorted(each.name for each in root.iterdir() if not each.name.startswith("."))
    if names and _RECORD not in names:
        raise FileExistsError(
            "`folder` must be new, empty, or of an earlier quickstart. "
            f"Received: {root}, with {', '.join(names[:3])}"
        )
    there = read_json(root / _RECORD) if names else arguments
    for name, wanted in arguments.items():
        if there.get(name) != wanted:
            raise FileExistsError(
                f"`folder` holds a quickstart with another `{name}`: use another folder, or the "
                f"same arguments to continue that one. Received: {root} with {there.get(name)!r}, "
                f"asked for {wanted!r}"
            )


def _synthetic_people(root: Path) -> ReidDataset:
    images: list[PersonImage] = write_synthetic_people(
        root / "people",
        SYNTHETIC_PEOPLE,
        CAMERAS,
        VIEWS,
        image_size=SYNTHETIC_SIZE,
        seed=SYNTHETIC_SEED,
    )
    return split_by_identity(images, 0.5, name="synthetic people")


def own_people(data: str | os.PathLike[str]) -> ReidDataset:
    """Read people and hold out half of them, unless a table has queries and a gallery.

    Those held out are tested on as `keras-osnet evaluate` does by default.
    Distractors and unreadable images are left out, the latter with a warning: before minutes of
    work, not after.

    Raises:
        ValueError: As for `keras_osnet.data.read_people`, or there are too few people.
        OSError: The data cannot be read.
    """
    found = readable(read_people(data))
    train = [image for image in found.train if not image.distractor]
    query, gallery = found.query, found.gallery
    if not (query and gallery):
        _check_count(train, 2 * _FEWEST, "half of them are for training and half for testing")
        people = split_by_identity(train, 0.5, name=found.name)
        queries, others, _ = divide_images([*people.query, *people.gallery])
        return replace(people, query=tuple(queries), gallery=tuple(others))
    people = ReidDataset(found.name, tuple(train), query=query, gallery=gallery)
    _check_count(people.train, _FEWEST, "training tells them apart", " to train on")
    _check_count(people.query, _FEWEST, "testing tells them apart", " to look for")
    return people


def _check_count(images: Sequence[PersonImage], least: int, why: str, what: str = "") -> None:
    count = len({image.identity for image in images})
    if count < least:
        raise ValueError(
            f"`data` must show at least {least} people{what}, as {why}. Received: {count}"
        )


def _test(model: keras.Model, people: ReidDataset) -> tuple[EmbeddedImages, RetrievalResult]:
    """Embed queries and gallery, and rank them by cosine distance."""
    files = dict.fromkeys(image.path for image in (*people.query, *people.gallery))
    embedded = embed_images(model, list(files))
    return embedded, evaluate_embeddings(embedded, people.query, people.gallery)


def _counts(people: ReidDataset) -> str:
    counts = people.counts
    return (
        f"{counts['train_identities']} people to train on ({counts['train_images']} images); "
        f"{counts['query_images']} queries and {counts['gallery_images']} gallery images of "
        f"{counts['query_identities']} others"
    )


def _metrics(result: RetrievalResult) -> str:
    ranking = result.ranking
    return f"rank-1 {ranking.rank(1):.1%}, mAP {ranking.mean_average_precision:.1%}"


class _Steps:
    """Announces steps and measures their time."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._log = log

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        self._log(f"\n{len(self.seconds) + 1}. {title}")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
