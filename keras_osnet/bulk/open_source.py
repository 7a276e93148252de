"""From the path of an input to what reads it."""

import os
from collections.abc import Sequence

from keras_osnet._utils.checks import path_of
from keras_osnet.bulk.crops import Source
from keras_osnet.bulk.file_source import FolderSource, ListSource
from keras_osnet.bulk.table import TABLES
from keras_osnet.bulk.tar_source import ARCHIVES, TarSource
from keras_osnet.bulk.video_source import VideoSource

Input = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def open_source(images: Input, boxes: str | os.PathLike[str] | None = None) -> Source:
    """Open an input of `embed_to_parquet`.

    Args:
        images: A folder, a list, tar files, or a video.
        boxes: The table of boxes of a video.

    Raises:
        OSError: It cannot be read.
        ValueError: It is of another kind, or not as it must be.
    """
    single = isinstance(images, str | os.PathLike)
    paths = [path_of("images", each) for each in ([images] if single else images)]  # type: ignore[union-attr]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"`images` does not exist. Received: {path}")
    if paths and all(path.name.lower().endswith(ARCHIVES) for path in paths) and boxes is None:
        return TarSource(paths)
    if len(paths) != 1:
        raise ValueError(
            "`images` must be one folder, one list (.csv, .parquet) or one video; only tar files "
            f"may be several. Received: {', '.join(map(str, paths)) or 'none'}"
        )
    path = paths[0]
    if boxes is not None:
        return VideoSource(path, path_of("boxes", boxes))
    if path.is_dir():
        return FolderSource(path)
    if path.suffix.lower() in TABLES:
        return ListSource(path)
    raise ValueError(
        "`images` must be a folder, a list (.csv, .tsv, .parquet), tar files, or a video with "
        f"`boxes`. Received: {path}"
    )
