"""`keras-osnet visualize cmc`: CMC curves of several networks."""

from pathlib import Path
from typing import Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.people import PeopleSource
from keras_osnet.cli.retrieval_task import retrieval_task
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.retrieval import embed_sides, several_weights, task_options


@click.command("cmc")
@task_options
@several_weights
@options.width
@options.variant
@options.metric
@options.input_size
@options.batch_size
@click.option(
    "--max-rank",
    type=click.IntRange(min=1),
    default=20,
    metavar="K",
    show_default=True,
    help="Up to which rank.",
)
@figure.output
def command(
    source: PeopleSource,
    query_camera: int | None,
    query: Path | None,
    gallery: Path | None,
    weights: tuple[str, ...],
    width: float | None,
    variant: str | None,
    metric: Literal["cosine", "euclidean"],
    size: tuple[int, int] | None,
    batch_size: int,
    max_rank: int,
    output: Path,
) -> None:
    """Draw CMC curves by the protocol of Market-1501.

    Pictures are given as for `keras-osnet evaluate`.

    \b
    keras-osnet visualize cmc --data DIR --weights A --weights B -o cmc.pdf
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    sides = retrieval_task(source, False, query_camera, query, gallery).splits[0]
    from keras_osnet.data import ranking_labels
    from keras_osnet.metrics import evaluate_features

    results = {}
    for title, each in zip(figure.titles(weights), weights, strict=True):
        queries, found = embed_sides(
            sides, each, width=width, variant=variant, size=size, batch_size=batch_size
        )
        results[title] = evaluate_features(
            queries.vectors,
            found.vectors,
            *ranking_labels(queries.people, found.people),
            metric=metric,
            max_rank=max_rank,
        )
    from keras_osnet.visualize import plot_cmc

    figure.write(plot_cmc(results, max_rank=max_rank), output)
