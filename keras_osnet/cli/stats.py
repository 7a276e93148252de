"""`keras-osnet stats`: what to normalise a dataset's pictures with."""

from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table, progress, waiting
from keras_osnet.cli.unreadable import report_unreadable, warn_unreadable

_DEFAULT_SIZE = (256, 128)


@click.command("stats")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--dataset",
    metavar="NAME",
    help="What DIR holds (market1501, …): only the pictures that it has to train on count. "
    "Default: all pictures in DIR.",
)
@options.size(
    "Height and width that pictures are resized to. Default: 256 128; CIFAR's own.", default=None
)
@options.as_json
def command(folder: Path, dataset: str | None, size: tuple[int, int] | None, as_json: bool) -> None:
    """Compute the mean and standard deviation of the pixels in DIR.

    Per channel, over all pixels of all pictures, in 0–1. Ends with the lines to paste into a
    recipe's table [model].

    \b
    keras-osnet stats crops
    keras-osnet stats datasets --dataset market1501
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    with waiting("Looking for pictures …"):
        from keras_osnet.data import pixel_statistics

        images = _images(folder, dataset)
    if size is None and isinstance(images, list | tuple):
        size = _DEFAULT_SIZE
    with progress("Reading", len(images)) as advance:
        statistics = pixel_statistics(images, size, progress=advance)
    warn_unreadable(statistics.unreadable, len(images))
    if as_json:
        report = {"mean": statistics.mean, "std": statistics.std, "images": statistics.images}
        report["size"] = size or images.shape[1:3]
        report["unreadable"] = report_unreadable(statistics.unreadable)
        print_json(report)
        return
    columns = ("", "red", "green", "blue")
    rows = {"mean": statistics.mean, "std": statistics.std}
    print_table(
        columns,
        [[name, *(f"{value:.4f}" for value in values)] for name, values in rows.items()],
        numbers=columns[1:],
    )
    click.echo(f"\nOf {statistics.images:,} images. For a recipe's [model]:\n")
    for name, values in rows.items():
        click.echo(f"{name} = [{', '.join(f'{value:.4f}' for value in values)}]")


def _images(folder: Path, dataset: str | None) -> Any:
    """Paths, or pixels as an array."""
    from keras_osnet.data import (
        AttributeDataset,
        ClassificationDataset,
        list_images,
        read_dataset,
    )

    if dataset is None:
        return list_images(folder)
    content = read_dataset(dataset, folder)
    if isinstance(content, ClassificationDataset):
        return content.train.images
    if isinstance(content, AttributeDataset):
        return content.train.paths
    return [image.path for image in content.train]
