"""The steps of the quickstart: people, a network, fine-tuning, a file for phones, a page."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_osnet._utils import optional
from keras_osnet._utils.checks import positive_integer
from keras_osnet.data import (
    PersonImage,
    ReidDataset,
    split_by_identity,
)
from keras_osnet.deploy import FidelityReport, export
from keras_osnet.models import open_checkpoint
from keras_osnet.quickstart.people import own_people
from keras_osnet.quickstart.report import write_report
from keras_osnet.quickstart.search import Found, find
from keras_osnet.runtime import BenchmarkResult, benchmark
from keras_osnet.synthetic import (
    write_synthetic_people,
)
from keras_osnet.training import load_recipe, train

DRAWN_PEOPLE, CAMERAS, VIEWS = 100, 2, 4
"""Of the drawn world; half of the people are trained on, the others tested on."""

WORLD = 1
"""Seed of people and cameras that no weights of this package have seen."""

DRAWN_SIZE = (128, 64)

_NEEDED = ("tensorflow", "ai_edge_litert", "litert_quantizer", "matplotlib", "sklearn", "jinja2")


@dataclass(frozen=True, eq=False)
class Journey:
    """What the quickstart has made and measured.

    Attributes:
        folder: Where everything is.
        weights: What the network started from.
        dataset: The people: those trained on, and the queries and gallery of the others.
        drawn: Whether they were drawn.
        before: What the network found before it was fine-tuned.
        after: What it finds since.
        fidelity: The int8 file beside the network.
        speeds: Its speed, and that of a float32 file.
        model: The fine-tuned network's file.
        files: The exported ones: float32, int8.
        report: The page.
        seconds: How long each step took, by its name.
    """

    folder: Path
    weights: str
    dataset: ReidDataset
    drawn: bool
    before: Found
    after: Found
    fidelity: FidelityReport
    speeds: Sequence[BenchmarkResult]
    model: Path
    files: Sequence[Path]
    report: Path
    seconds: dict[str, float]


def quickstart(
    folder: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    weights: str = "synthetic",
    width: float | None = 0.25,
    epochs: int = 6,
    say: Callable[[str], None] = print,
    verbose: int | str = "auto",
) -> Journey:
    """Find people, learn to find them better, export the network, and write a page about it.

    Without `data` and with the weights that come with the package nothing is downloaded. Half of
    the people are trained on and the others tested on, whom the network has not seen, unless a
    table says who is tested on; their cameras are the same. An interrupted call goes on where it
    was.

    Args:
        folder: Where everything goes; made if it does not exist.
        data: People of your own, four or more, as `keras_osnet.data.read_people` reads them; None
            draws some. Pictures that cannot be read are left out with a warning.
        weights: What to start from: a tag, a file, or `"hf://owner/repo[/file][@revision]"`.
        width: Width multiplier of the network that a tag is looked up for; None takes a file's
            own.
        epochs: How many to fine-tune for, at least 1.
        say: Called with a line before each step.
        verbose: As for `fit`.

    Returns:
        What was made and measured; its `report` is a page to open in a browser.

    Raises:
        ValueError: An argument is wrong, or the people are too few.
        FileExistsError: `folder` has something else in it.
        OSError: The data or weights cannot be read.
        ImportError: A package is not installed; nothing was written.
    """
    for module in _NEEDED:
        optional.check_installed(module, "The quickstart", extra="quickstart")
    positive_integer("epochs", epochs)
    checkpoint = open_checkpoint(weights, width=width)
    root = Path(folder)
    clock = _Clock(say)

    with clock.step("people", "Drawing people" if data is None else f"Reading {data}"):
        people = _people(root, data)
    root.mkdir(parents=True, exist_ok=True)
    size = DRAWN_SIZE if data is None else checkpoint.embedding_size
    network = checkpoint.build(head="embedding", image_size=size, include_preprocessing=True)[0]
    untouched = keras.models.clone_model(network)
    untouched.set_weights(network.get_weights())
    say(_counted(people))

    with clock.step("search", f"Searching with the weights {weights!r} as they are"):
        before = find(untouched, people)
    say(_figures(before))

    with clock.step("training", f"Fine-tuning for {epochs} epochs on people it is not tested on"):
        recipe = load_recipe("few_people").with_epochs(epochs)
        recipe = recipe.with_overrides({"validation_fraction": 0.0})
        run = train(recipe, network, people, root / "training", in_memory=True, verbose=verbose)
        after = find(run.embedders[0], people)
    say(_figures(after))

    with clock.step("export", "Exporting for phones, with weights of 8 bits"):
        files = [root / "osnet-float32.tflite", root / "osnet-int8.tflite"]
        calibration = [image.path for image in people.train]
        export(after.network, files[0], images=people)
        fidelity = export(
            after.network, files[1], quantization="int8", calibration=calibration, images=people
        )
        speeds = benchmark(files, rounds=3)

    journey = Journey(
        folder=root,
        weights=str(weights),
        dataset=people,
        drawn=data is None,
        before=before,
        after=after,
        fidelity=fidelity,
        speeds=speeds,
        model=root / "training" / "last.keras",
        files=files,
        report=root / "report.html",
        seconds=clock.seconds,
    )
    with clock.step("report", "Writing the page"):
        write_report(journey, journey.report)
    return journey


def _people(root: Path, data: str | os.PathLike[str] | None) -> ReidDataset:
    if data is not None:
        return own_people(data)
    images: list[PersonImage] = write_synthetic_people(
        root / "people", DRAWN_PEOPLE, CAMERAS, VIEWS, image_size=DRAWN_SIZE, seed=WORLD
    )
    return split_by_identity(images, 0.5, name="drawn people")


def _counted(people: ReidDataset) -> str:
    counts = people.counts
    return (
        f"{counts['train_identities']} people to train on ({counts['train_images']} pictures); "
        f"{counts['query_images']} queries and {counts['gallery_images']} gallery pictures of "
        f"{counts['query_identities']} others"
    )


def _figures(found: Found) -> str:
    ranking = found.ranking
    return f"rank-1 {ranking.rank(1):.1%}, mAP {ranking.mean_average_precision:.1%}"


class _Clock:
    """Announces steps and takes their time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        self._say(f"\n{len(self.seconds) + 1}. {title}")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
