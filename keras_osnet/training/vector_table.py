"""Tables of vectors: the `.npz` files and the Parquet data sets that `keras-osnet embed` writes."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from keras_osnet._utils.files import open_regular
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.metrics.features import checked_numbers

_NAMES = ("path", "key")
"""Columns of which the first that a Parquet data set has is the name of the image."""


def is_vector_table(path: str | os.PathLike[str]) -> bool:
    """Return whether a path can be that of a table of vectors: an `.npz` file or a folder."""
    return Path(path).suffix.lower() == ".npz" or Path(path).is_dir()


def read_vector_table(path: str | os.PathLike[str]) -> EmbeddedImages:
    """Read vectors and the images that they are of.

    Args:
        path: An `.npz` file with `vectors` (n, dim) and `names` (n,), the paths of the images; or a
            folder that bulk embedding wrote, whose column `path`, else `key`, has the paths.

    Raises:
        FileNotFoundError: There is no such file, or no vectors in the folder.
        ValueError: It is damaged, is something else, or has two rows for one image.
        ImportError: pyarrow is not installed, for a folder.
    """
    file = Path(path)
    vectors, names = _read_folder(file) if file.is_dir() else _read_npz(file)
    if len(vectors) != len(names):
        raise ValueError(
            f"`teacher` must have a vector for each name. Received: {len(vectors)} vectors and "
            f"{len(names)} names in {file}"
        )
    try:
        vectors = checked_numbers(vectors, "vectors")
    except ValueError as error:
        raise ValueError(f"`teacher` must be a table of vectors: {error}, in {file}") from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"`teacher` must have one row for each image. Received: {twice[0]} twice in {file}"
        )
    return EmbeddedImages(vectors, [Path(name) for name in names], {})


def _read_npz(file: Path) -> tuple[Any, list[str]]:
    missing: list[str] = []
    try:
        with open_regular(file) as stream, np.load(stream, allow_pickle=False) as content:
            missing = [name for name in ("vectors", "names") if name not in content]
            return content["vectors"], [str(name) for name in content["names"].ravel().tolist()]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"`teacher` does not exist. Received: {file}") from error
    # Broken files give errors of every kind: numpy's, zipfile's, zlib's.
    except Exception as error:
        found = f"has no {' and '.join(missing)}" if missing else "is damaged or of another kind"
        raise ValueError(
            "`teacher` must be an .npz file with `vectors` and `names`, as `keras-osnet embed` "
            f"writes it; this one {found}. Received: {file}"
        ) from error


def _read_folder(folder: Path) -> tuple[Any, list[str]]:
    from keras_osnet.bulk import VectorDataset

    try:
        dataset = VectorDataset(folder)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(str(error).replace("`folder`", "`teacher`")) from error
    name = next(each for each in _NAMES if each in dataset.schema.names)
    names: list[str] = []
    for batch in dataset.batches([name]):
        names += batch.column(0).to_pylist()
    for each in names:
        if not isinstance(each, str):
            raise ValueError(
                f"`teacher` must have paths in its column {name}. Received: {each!r} in {folder}"
            )
    return dataset.vectors(), names
