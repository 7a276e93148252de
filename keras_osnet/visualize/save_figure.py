"""Saving a figure to a file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_osnet._utils.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def save_figure(figure: "Figure", path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a figure to a file, atomically.

    Args:
        figure: The figure.
        path: The file, replaced if it exists: `.png`, or the vector formats `.svg` and `.pdf`.
        dpi: Pixels per inch, of a `.png` and of images in the vector formats.

    Raises:
        ValueError: If the path has another suffix.
        FileNotFoundError: If the folder does not exist.

    Example:
        >>> from keras_osnet.visualize import plot_cmc
        >>> file = getfixture("tmp_path") / "cmc.svg"
        >>> save_figure(plot_cmc({"osnet_x1_0": [0.5, 1.0]}), file)
        >>> file.exists()
        True
    """
    check_format(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def check_format(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if `save_figure` does not write files of this name."""
    if Path(path).suffix not in FORMATS:
        raise ValueError(f"`path` must end in {', '.join(FORMATS)}. Received: {os.fspath(path)}")
