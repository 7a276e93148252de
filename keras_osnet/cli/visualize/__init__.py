"""`keras-osnet visualize`: one command per kind of figure."""

import click

from keras_osnet.cli.application import LazyGroup

_KINDS = {
    "activations": "images:activations",
    "clusters": "network:clusters",
    "gates": "network:gates",
    "ranked": "retrieval:ranked",
    "attributes": "images:attributes",
    "explain": "images:explain",
    "embeddings": "retrieval:embeddings",
    "cmc": "retrieval:cmc",
    "training": "training:training",
    "network": "network:network",
    "block": "network:block",
}
"""Module of this package and name in it, in the order of `--help`."""


@click.group("visualize", cls=LazyGroup, commands=_KINDS, package=__name__)
def command() -> None:
    """Draw feature maps, gates and retrieval results.

    Each command writes one figure: .png, .svg or .pdf.

    \b
    keras-osnet visualize activations DIR --weights TAG -o maps.png
    keras-osnet visualize ranked --data DIR --weights TAG -o ranked.pdf
    keras-osnet visualize training RUN -o training.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
