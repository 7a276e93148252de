"""`keras-osnet gallery search`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import gallery as group
from keras_osnet.cli import options, outputs, visualize
from keras_osnet.cli.console import echo, print_json, print_table


def _names(option: str, text: str) -> Any:
    return click.option(option, multiple=True, metavar="NAME", help=f"{text} Repeatable.")


@click.command("search")
@group.place
@click.argument(
    "images", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@group.weights("The exported model of the gallery", required=True)
@options.device
@options.pixel_range
@options.count("--limit", "Rows to find for each image.", 10)
@_names("--not-camera", "Not this camera, such as the image's own.")
@_names("--camera", "Only this camera.")
@_names("--site", "Only this site.")
@_names("--person", "Only rows with this name.")
@click.option("--after", metavar="TIME", help="Not earlier than this.")
@click.option("--before", metavar="TIME", help="Earlier than this.")
@click.option(
    "--min-similarity",
    type=options.FiniteFloatRange(-1, 1),
    metavar="S",
    help="Lowest cosine similarity.",
)
@click.option("--approximate", is_flag=True, help="Use the index of `gallery index`.")
@options.count("--rerank", "Re-rank the N most similar by k-reciprocal neighbors.")
@outputs.output_file(
    ".html", text="Write a page with images, similarities, cameras and times.", required=False
)
@visualize.figure_option(
    "Draw the images as ranked lists (.png, .svg, .pdf); needs --image-folder.",
    name="--figure",
    required=False,
)
@click.option(
    "--image-folder",
    type=options.FOLDER,
    metavar="DIR",
    help="Folder in which page and figure may read images that rows name.",
)
@options.as_json
def command(
    place: str,
    images: Sequence[Path],
    weights: Path,
    device: str,
    pixel_range: str | None,
    limit: int,
    approximate: bool,
    output: Path | None,
    figure: Path | None,
    image_folder: Path | None,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Find the people most similar to those in images.

    \b
    keras-osnet gallery search people.lance image.jpg --weights osnet.onnx --not-camera 3 \\
        --after 2026-11-27T14:00Z --before 2026-11-27T15:00Z -o page.html --image-folder crops
    """
    if image_folder is not None and output is None and figure is None:
        raise click.UsageError("--image-folder is for --output FILE.html and --figure FILE.png.")
    if figure is not None and image_folder is None:
        raise click.UsageError("--figure draws images; give --image-folder DIR.")
    from keras_osnet.gallery import Gallery, write_search_page

    given = {name: value for name, value in conditions.items() if value not in (None, ())}
    with Gallery.open(place) as gallery:
        gallery.count()  # fails if there is none, before the engine starts
        embedder = group.open_embedder(weights, device, pixel_range, gallery)
        vectors = embedder.embed(list(images))
        result = gallery.search(
            vectors, limit, model=embedder.digest, exact=not approximate, **given
        )
    if as_json:
        names = [str(image) for image in images]
        print_json(
            [
                {"image": name, "rows": [{key: _plain(row[key]) for key in row} for row in rows]}
                for name, rows in zip(names, result, strict=True)
            ]
        )
    else:
        headings, rows = result.table_rows()
        print_table(headings, rows, numbers=("query", "rank", "similarity"))
        for image, found in zip(images, result, strict=True):
            if not found:
                echo(f"{image.name}: nobody is near enough.")
    if output is not None:
        shown = {name.replace("_", " "): _listed(value) for name, value in given.items()}
        write_search_page(
            result, output, images, images=image_folder, title=place, conditions=shown
        )
        echo(f"Wrote {output}", err=as_json)
    if figure is not None and image_folder is not None:
        from keras_osnet.gallery import read_row_images
        from keras_osnet.visualize import plot_search_results, save_figure

        people = list(result)
        drawn = plot_search_results(list(images), people, read_row_images(people, image_folder))
        save_figure(drawn, figure)
        echo(f"Wrote {figure}", err=as_json)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
