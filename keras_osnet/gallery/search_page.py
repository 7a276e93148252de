"""What a search found, as one page with images."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.html_page import HtmlPage
from keras_osnet._utils.text import drawable
from keras_osnet.data.images import read_image
from keras_osnet.gallery.row_images import RowImage, data_url, row_images
from keras_osnet.gallery.search_result import SearchResult, as_text, check_queries

_TEMPLATE = Path(__file__).with_name("search_page.html")

_FACTS = ("person", "camera", "site", "time", "tracklet", "source")


def write_search_page(
    result: SearchResult,
    path: str | os.PathLike[str],
    queries: Sequence[str | os.PathLike[str]],
    *,
    images: str | os.PathLike[str] | None = None,
    title: str = "",
    conditions: Mapping[str, str] | None = None,
) -> None:
    """Write what a search found: an HTML page with embedded images, which opens offline.

    The page holds images of people: protect it as you protect those.

    Args:
        result: What `Gallery.search` returned.
        path: The file; it is replaced atomically.
        queries: The image of every query.
        images: The folder in which images may be read that the column `source` names, relative to
            it or absolute. A source elsewhere is not opened: whoever wrote to the gallery chose
            it. By default, the page has the queries' images only. Of a row with the column
            `left`, as bulk embedding writes it beside `box`, the box is cut out; of one with
            `frame`, from this frame of a video.
        title: Name of the gallery.
        conditions: Conditions of the search, by name.

    Raises:
        ValueError: There are more or fewer images than queries.
        ImageReadError: A query cannot be read.
        FileNotFoundError: The folder of the file, or `images`, does not exist.
        ImportError: Jinja2, Pillow, or OpenCV for a video is not installed.
    """
    page = HtmlPage(_TEMPLATE, purpose="The page of a search", extra="gallery")
    check_queries(queries, result)
    root = None if images is None else path_of("images", images).resolve(strict=True)
    shown_images = iter(row_images([row for rows in result for row in rows], root))
    page.write(
        path_of("path", path),
        gallery=drawable(title),
        conditions=list((conditions or {}).items()),
        queries=[
            {
                "name": drawable(Path(query).name),
                "image": data_url(read_image(query)),
                "rows": [_shown(row, next(shown_images)) for row in rows],
            }
            for query, rows in zip(queries, result, strict=True)
        ],
        version=__version__,
    )


def _shown(row: Mapping[str, Any], image: RowImage) -> dict[str, Any]:
    """Return a row's image, or why there is none, and its facts."""
    facts = [(name, as_text(row[name])) for name in _FACTS if row.get(name) is not None]
    return {"similarity": f"{row['similarity']:.3f}", "facts": facts, **image._asdict()}
