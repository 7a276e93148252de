"""`keras-osnet visualize ranked`: queries and what is found for them."""

from pathlib import Path
from typing import Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.people import PeopleSource
from keras_osnet.cli.retrieval_task import retrieval_task
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.retrieval import embed_sides, task_options


@click.command("ranked")
@task_options
@options.weights
@options.width
@options.variant
@options.metric
@options.input_size
@options.batch_size
@click.option(
    "--show",
    type=click.IntRange(min=1),
    default=8,
    metavar="N",
    show_default=True,
    help="How many queries to draw at most, evenly spaced.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    metavar="K",
    show_default=True,
    help="How many of the gallery to draw for each.",
)
@figure.output
def command(
    source: PeopleSource,
    query_camera: int | None,
    query: Path | None,
    gallery: Path | None,
    weights: str,
    width: float | None,
    variant: str | None,
    metric: Literal["cosine", "euclidean"],
    size: tuple[int, int] | None,
    batch_size: int,
    show: int,
    top: int,
    output: Path,
) -> None:
    """Draw queries and what is found for them.

    Frames tell right from wrong. Pictures are given as for `keras-osnet evaluate`.

    \b
    keras-osnet visualize ranked --data DIR --weights market1501 -o ranked.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    sides = retrieval_task(source, False, query_camera, query, gallery).splits[0]
    queries, found = embed_sides(
        sides, weights, width=width, variant=variant, size=size, batch_size=batch_size
    )
    from keras_osnet.data import ranking_labels
    from keras_osnet.data.sampling import evenly_spaced
    from keras_osnet.metrics import pairwise_distances
    from keras_osnet.visualize import plot_ranked_lists

    chosen = evenly_spaced(len(queries.people), show)
    drawn = plot_ranked_lists(
        queries.people,
        found.people,
        pairwise_distances(queries.vectors, found.vectors, metric),
        *ranking_labels(queries.people, found.people),
        queries=chosen,
        top=top,
    )
    figure.write(drawn, output)
