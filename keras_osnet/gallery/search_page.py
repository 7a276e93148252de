"""What a search found, as one page with images."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.html_page import HtmlPage
from keras_osnet._utils.text import drawable
from keras_osnet.data.images import read_image, require_pillow
from keras_osnet.gallery.search_result import SearchResult, as_text

_TEMPLATE = Path(__file__).with_name("search_page.html")

_SIZE = (240, 480)
"""Width and height of images on the page, at most."""

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
            `left`, as bulk embedding writes it beside `box`, the box is cut out.
        title: Name of the gallery.
        conditions: Conditions of the search, by name.

    Raises:
        ValueError: There are more or fewer images than queries.
        ImageReadError: A query cannot be read.
        FileNotFoundError: The folder of the file, or `images`, does not exist.
        ImportError: Jinja2 or Pillow is not installed.
    """
    page = HtmlPage(_TEMPLATE, purpose="The page of a search", extra="gallery")
    if len(queries) != len(result):
        raise ValueError(
            f"`queries` must be as many as the result has, {len(result)}. Received: {len(queries)}"
        )
    root = None if images is None else path_of("images", images).resolve(strict=True)
    page.write(
        path_of("path", path),
        gallery=drawable(title),
        conditions=list((conditions or {}).items()),
        queries=[
            {
                "name": drawable(Path(query).name),
                "image": _data_url(Path(query)),
                "rows": [_shown(row, root) for row in rows],
            }
            for query, rows in zip(queries, result, strict=True)
        ],
        version=__version__,
    )


def _shown(row: Mapping[str, Any], root: Path | None) -> dict[str, Any]:
    """Return a row's image, or why there is none, and its facts."""
    facts = [(name, as_text(row[name])) for name in _FACTS if row.get(name) is not None]
    shown: dict[str, Any] = {"similarity": f"{row['similarity']:.3f}", "facts": facts}
    image, why = None, "image not shown"
    file = None if root is None else _inside(root, row.get("source"))
    if root is not None and file is None:
        why = "not in the folder of images"
    elif file is not None:
        try:
            cut = row.get("left") is not None and row.get("box") is not None
            image = _data_url(file, row["box"] if cut else None)
        except (OSError, ValueError):
            why = "image cannot be read"
    return shown | {"image": image, "why": why}


def _inside(root: Path, source: Any) -> Path | None:
    """Return the file that a source names if it is in a folder, after all links."""
    if not isinstance(source, str) or "\0" in source:
        return None
    try:
        file = (root / source).resolve()
    except (OSError, RuntimeError):  # links in a circle
        return None
    return file if file.is_relative_to(root) and file.is_file() else None


def _data_url(file: Path, box: Sequence[float] | None = None) -> str:
    """Return an image, or the part of it in a box, as the URL of an embedded JPEG."""
    pixels = read_image(file)
    if box is not None:
        height, width = pixels.shape[:2]
        left, top = (max(0, round(edge)) for edge in box[:2])
        part = pixels[top : min(height, round(box[3])), left : min(width, round(box[2]))]
        pixels = part if part.size else pixels
    content = io.BytesIO()
    image = require_pillow().fromarray(np.ascontiguousarray(pixels))
    image.thumbnail(_SIZE)
    image.save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
