"""`keras-osnet visualize` of results: of retrieval, and the metrics of a training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli import visualize as figure
from keras_osnet.cli._verification_task import VerificationTask
from keras_osnet.cli.console import progress, warn_unreadable
from keras_osnet.cli.options import ModelSource
from keras_osnet.cli.people import (
    PeopleSource,
    RetrievalTask,
    people_options,
    retrieval_options,
)

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage
    from keras_osnet.data.records import EmbeddedImages


@click.command("ranked")
@retrieval_options
@options.model_options()
@options.metric
@options.batch_size
@options.count("--show", "How many queries to draw at most, evenly spaced.", 8)
@options.count("--top", "How many gallery images to draw for each.", 10, metavar="K")
@figure.output
def ranked(
    read_task: Callable[[], RetrievalTask],
    model: ModelSource,
    metric: Literal["cosine", "euclidean"],
    batch_size: int,
    show: int,
    top: int,
    output: Path,
) -> None:
    """Draw queries and their nearest gallery images.

    Frames show which are right and wrong. Images are given as for `keras-osnet evaluate`.

    \b
    keras-osnet visualize ranked --data DIR --weights market1501 -o ranked.png
    """
    sides = read_task().splits[0]
    embedded = _embed([*sides[0], *sides[1]], model, batch_size)
    from keras_osnet.data.records import ranking_labels
    from keras_osnet.data.sampling import evenly_spaced
    from keras_osnet.metrics import pairwise_distances
    from keras_osnet.visualize import plot_ranked_lists

    queries, gallery = (_readable(embedded, side) for side in sides)
    if not (queries and gallery):
        raise ValueError(
            "Both queries and gallery must have images that can be read. "
            f"Received: {len(queries)} queries, {len(gallery)} of the gallery"
        )
    drawn = plot_ranked_lists(
        queries,
        gallery,
        pairwise_distances(embedded.vectors_of(queries), embedded.vectors_of(gallery), metric),
        *ranking_labels(queries, gallery),
        queries=evenly_spaced(len(queries), show),
        top=top,
    )
    figure.write(drawn, output)


@click.command("cmc")
@retrieval_options
@options.model_options(text=figure.SEVERAL, several=True)
@options.metric
@options.batch_size
@options.count("--max-rank", "Last rank to draw.", 20, metavar="K")
@figure.output
def cmc(
    read_task: Callable[[], RetrievalTask],
    models: Sequence[ModelSource],
    metric: Literal["cosine", "euclidean"],
    batch_size: int,
    max_rank: int,
    output: Path,
) -> None:
    """Draw CMC curves by the protocol of Market-1501.

    Images are given as for `keras-osnet evaluate`.

    \b
    keras-osnet visualize cmc --data DIR --weights A --weights B -o cmc.pdf
    """
    query, gallery = read_task().splits[0]
    from keras_osnet.evaluation import evaluate_embeddings

    results = {}
    for title, source in figure.titled(models):
        embedded = _embed([*query, *gallery], source, batch_size)
        results[title] = evaluate_embeddings(
            embedded, query, gallery, metric=metric, max_rank=max_rank
        ).ranking
    from keras_osnet.visualize import plot_cmc

    figure.write(plot_cmc(results, max_rank=max_rank), output)


@click.command("roc")
@people_options
@options.model_options(text=figure.SEVERAL, several=True)
@options.batch_size
@figure.output
def roc(source: PeopleSource, models: Sequence[ModelSource], batch_size: int, output: Path) -> None:
    """Draw ROC curves: do two images show one person?

    Pairs are those of `keras-osnet threshold`.

    \b
    keras-osnet visualize roc --data DIR --weights A --weights B -o roc.pdf
    """
    task = VerificationTask.read(source)
    task.count_pairs()
    from keras_osnet.metrics import evaluate_verification

    results = {}
    for title, each in figure.titled(models):
        embedded = _embed(task.images, each, batch_size)
        results[title] = evaluate_verification(*task.arrays(embedded))
    from keras_osnet.visualize import plot_roc

    figure.write(plot_roc(results), output)


@click.command("embeddings")
@people_options
@options.model_options()
@options.metric
@options.batch_size
@options.count("--identities", "How many people to draw at most, evenly spaced.", 40)
@figure.output
def embeddings(
    source: PeopleSource,
    model: ModelSource,
    metric: Literal["cosine", "euclidean"],
    batch_size: int,
    identities: int,
    output: Path,
) -> None:
    """Draw images as points, similar ones close together.

    \b
    keras-osnet visualize embeddings --data DIR --weights msmt17 -o map.png
    """
    people = source.read().all_images
    from keras_osnet.data.records import person_names
    from keras_osnet.data.sampling import evenly_spaced
    from keras_osnet.visualize import plot_embeddings
    from keras_osnet.visualize.embeddings import project_embeddings

    known = sorted({person.identity for person in people})
    wanted = {known[index] for index in evenly_spaced(len(known), identities)}
    chosen = [person for person in people if person.identity in wanted]
    embedded = _embed(chosen, model, batch_size)
    read = _readable(embedded, chosen)
    points = project_embeddings(embedded.vectors_of(read), metric=metric)
    figure.write(plot_embeddings(points, person_names(read)), output)


@click.command("training")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@figure.output
def training(runs: tuple[Path, ...], output: Path) -> None:
    """Draw the metrics of one or several trainings.

    RUNS are folders of `keras-osnet train` (with a line for each seed), or CSV files with a column
    `epoch`.

    \b
    keras-osnet visualize training run -o training.png
    """
    from keras_osnet.visualize import plot_history

    found = [seed for run in runs for seed in _seeds(run)]
    several = dict(zip(figure.titles([str(each) for each in found]), found, strict=True))
    figure.write(plot_history(several if len(several) > 1 else found[0]), output)


def _seeds(run: Path) -> list[Path]:
    """Return the trainings in a folder, one per seed, or the folder itself."""
    return sorted(path.parent for path in run.glob("seed-*/metrics.csv")) or [run]


def _embed(
    people: "Sequence[PersonImage]", source: ModelSource, batch_size: int
) -> "EmbeddedImages":
    """Embed images of people, and warn of those that cannot be read."""
    model = source.load("embedding")
    from keras_osnet.evaluation import embed_images

    files = list(dict.fromkeys(person.path for person in people))
    with progress("Embedding", len(files)) as advance:
        embedded = embed_images(
            model, files, batch_size=batch_size, skip_unreadable=True, progress=advance
        )
    warn_unreadable(embedded.unreadable, len(files))
    return embedded


def _readable(embedded: "EmbeddedImages", people: "Sequence[PersonImage]") -> "list[PersonImage]":
    return [person for person in people if person.path not in embedded.unreadable]
