"""`keras-osnet visualize embeddings`: t-SNE of people's pictures."""

from pathlib import Path
from typing import Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.people import PeopleSource, people_options
from keras_osnet.cli.visualize import figure
from keras_osnet.cli.visualize.retrieval import embed_people


@click.command("embeddings")
@people_options
@options.weights
@options.width
@options.variant
@options.metric
@options.input_size
@options.batch_size
@click.option(
    "--identities",
    type=click.IntRange(min=1),
    default=40,
    metavar="N",
    show_default=True,
    help="How many people to draw at most, evenly spaced.",
)
@figure.output
def command(
    source: PeopleSource,
    weights: str,
    width: float | None,
    variant: str | None,
    metric: Literal["cosine", "euclidean"],
    size: tuple[int, int] | None,
    batch_size: int,
    identities: int,
    output: Path,
) -> None:
    """Draw pictures as points, those alike close together.

    \b
    keras-osnet visualize embeddings --data DIR --weights msmt17 -o map.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    people = source.read().all_images
    from keras_osnet.data.sampling import evenly_spaced

    known = sorted({person.identity for person in people})
    wanted = {known[index] for index in evenly_spaced(len(known), identities)}
    embedded = embed_people(
        [person for person in people if person.identity in wanted],
        weights,
        width=width,
        variant=variant,
        size=size,
        batch_size=batch_size,
    )
    from keras_osnet.data import identity_labels
    from keras_osnet.visualize import plot_embeddings, project_embeddings

    points = project_embeddings(embedded.vectors, metric=metric)
    figure.write(plot_embeddings(points, identity_labels(embedded.people)), output)
