"""Embeddings of image files, some of which may not have been readable."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import atomic_path


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """The embeddings of the readable ones of a list of image files.

    Attributes:
        vectors: Array (n, dim), float32.
        paths: The n files that they are of, in the same order.
        unreadable: The other files, with what is wrong with each.
    """

    vectors: NDArray[np.float32]
    paths: list[Path]
    unreadable: dict[Path, str]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `vectors` and `names` (the paths as text) to an `.npz` file, at once or not at all.

        Raises:
            ValueError: The path does not end in `.npz`.
            FileNotFoundError: The folder does not exist.
        """
        if not os.fspath(path).endswith(".npz"):
            raise ValueError(f"`path` must end in .npz. Received: {os.fspath(path)}")
        names = np.array([file.as_posix() for file in self.paths], np.str_)
        with atomic_path(path) as temporary:
            np.savez(temporary, vectors=self.vectors, names=names)
