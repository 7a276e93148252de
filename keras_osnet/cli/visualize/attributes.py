"""`keras-osnet visualize attributes`: pictures with the attributes that are seen on them."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.attributes import load_attribute_model, read_attributes, task_options
from keras_osnet.cli.visualize import figure


@click.command("attributes")
@task_options
@options.input_size
@figure.show(8)
@figure.output
def command(
    data: Path,
    dataset: str | None,
    no_check: bool,
    weights: str,
    width: float | None,
    variant: str | None,
    part: str,
    threshold: float,
    size: tuple[int, int] | None,
    show: int,
    output: Path,
) -> None:
    """Draw pictures with the attributes seen on them.

    Right, wrong and missed ones are marked (paper, Fig. 7). Pictures are given as for
    `keras-osnet attributes`.

    \b
    keras-osnet visualize attributes --data a.csv --weights own.keras -o a.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    content = read_attributes(data, dataset, check=not no_check)
    images = getattr(content, part)
    if not images.paths:
        raise ValueError(f"--part must be one with pictures. Received: --part {part}, with none")
    model = load_attribute_model(weights, width=width, variant=variant, size=size)
    from keras_osnet.data.sampling import evenly_spaced
    from keras_osnet.visualize import feature_maps, plot_attributes

    chosen = evenly_spaced(len(images.paths), show)
    files = [images.paths[index] for index in chosen]
    seen = feature_maps(model, files, ["predictions"])["predictions"]
    drawn = plot_attributes(
        files, seen, content.attribute_names, images.attributes[chosen], threshold=threshold
    )
    figure.write(drawn, output)
