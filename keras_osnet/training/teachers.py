"""Teachers of a distillation: networks, exported files and tables, and the vectors they give."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import boolean, expanded, one_of
from keras_osnet.data import ImageReadError, load_images
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.evaluation.embed import check_embedder, embed_images
from keras_osnet.metrics.features import (
    checked_numbers,
    concatenate_features,
    flip_average,
    normalize,
)
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.read_metadata import FILE_KINDS, ModelFileError
from keras_osnet.training.networks import architecture_digest
from keras_osnet.training.run_folder import digest
from keras_osnet.training.vector_table import is_vector_table, read_vector_table
from keras_osnet.weights.catalogue import find_weights, is_tag, list_weights

Teacher: TypeAlias = keras.Model | Embedder | EmbeddedImages | str | os.PathLike[str]
"""A network, an exported file or vectors, or the name of one; see `open_teacher`."""

_CHUNK = 64
"""Images that are read at once to be mirrored for an exported file."""


class Teachers:
    """One teacher or several, whose vectors a small network learns.

    Args:
        teachers: One, or a list of them.
        flip: Average the vector of each image with that of its mirror image, so that the target is
            the same for both. Vectors of a table stay as they are.
        combine: For several teachers: `"concatenate"` (the cosine similarity is then the mean of
            theirs), or `"average"`, of vectors of one length. Each vector is scaled to length 1
            first.

    Raises:
        ValueError: An argument is wrong, or a file cannot be a teacher.
        OSError: A file cannot be read or downloaded.
    """

    def __init__(
        self,
        teachers: Teacher | Sequence[Teacher],
        *,
        flip: bool = True,
        combine: str = "concatenate",
    ) -> None:
        listed = list(teachers) if isinstance(teachers, list | tuple) else [teachers]
        if not listed:
            raise ValueError("`teacher` must be one teacher, or a list of some. Received: none")
        self.combine = one_of("combine", combine, ("concatenate", "average"))
        self.flip = boolean("flip", flip)
        self._teachers = [open_teacher(each) for each in listed]

        lengths = [_dim(each) for each in self._teachers]
        if self.combine == "average" and len(set(lengths)) > 1:
            raise ValueError(
                '`combine="average"` needs teachers with vectors of one length; "concatenate" '
                f"takes any. Received: lengths {', '.join(map(str, lengths))}"
            )

    def describe(self, paths: Sequence[Path]) -> dict[str, Any]:
        """Return what the vectors of images depend on, of types that JSON has.

        Raises:
            ValueError: A table lacks an image, has two rows for one, or a vector of no use.
        """
        teachers = [_digest(each, paths) for each in self._teachers]
        return {"teachers": teachers, "flip": self.flip, "combine": self.combine}

    def embed(
        self, paths: Sequence[Path], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the vectors of images, (images, dim), each of length 1.

        Args:
            paths: The files.
            progress: Called with the number of files done so far; files count once per teacher.

        Raises:
            ImageReadError: A file cannot be read.
            ValueError: A table lacks an image, or a vector is zero or not finite.
        """
        parts = []
        for number, teacher in enumerate(self._teachers):
            before = number * len(paths)
            report = None if progress is None else lambda done, b=before: progress(b + done)
            parts.append(self._of_one(teacher, paths, report))
        if self.combine == "average":
            return normalize(np.mean([normalize(part) for part in parts], axis=0))
        return normalize(concatenate_features(parts))

    def _of_one(
        self,
        teacher: "keras.Model | Embedder | EmbeddedImages",
        paths: Sequence[Path],
        progress: Callable[[int], None] | None,
    ) -> NDArray[np.float32]:
        if isinstance(teacher, EmbeddedImages):
            return vectors_of_files(teacher, paths)
        if isinstance(teacher, Embedder):
            vectors = _by_exported_file(teacher, paths, self.flip, progress)
        else:
            vectors = embed_images(teacher, paths, flip=self.flip, progress=progress).vectors
        return _usable(vectors, paths)


def open_teacher(teacher: Teacher) -> "keras.Model | Embedder | EmbeddedImages":
    """Return a teacher that can be used: what a name stands for, and others as they are.

    Args:
        teacher: A model (batch, height, width, 3) to (batch, dim), an `Embedder`, or an
            `EmbeddedImages`. Or a text: a tag, a file of weights or
            `"hf://owner/repo[/file][@revision]"`; an exported file (.tflite, .onnx, .xml); or a
            table of vectors: the .npz file or the folder that `keras-osnet embed` writes.

    Raises:
        ValueError: It is none of these, or is damaged.
        OSError: A file cannot be read or downloaded.
    """
    if isinstance(teacher, Embedder):
        return teacher
    if isinstance(teacher, EmbeddedImages):
        checked_numbers(teacher.vectors, "teacher")
        if len(teacher.vectors) != len(teacher.paths):
            raise ValueError(
                "`teacher` must have a vector for each path. Received: "
                f"{len(teacher.vectors)} vectors and {len(teacher.paths)} paths"
            )
        return teacher
    if isinstance(teacher, keras.Model):
        check_embedder(teacher, None)
        return teacher
    if not isinstance(teacher, str | os.PathLike):
        raise ValueError(
            "`teacher` must be a Keras model, an Embedder, EmbeddedImages, or the name of weights, "
            f"an exported file or a table of vectors. Received: {teacher!r:.200}"
        )
    name = os.fspath(teacher)
    if not name.startswith("hf://") and not is_tag(name):
        name = str(expanded(name))
        if name.lower().endswith(FILE_KINDS):
            return _open_exported_file(name)
        if is_vector_table(name):
            return read_vector_table(name)
        if not Path(name).exists():
            _check_tag(name)
    checkpoint = open_checkpoint(name)
    return checkpoint.build(
        head="embedding", image_size=checkpoint.embedding_size, include_preprocessing=True
    )[0]


def _open_exported_file(name: str) -> Embedder:
    try:
        return Embedder(name)
    except ValueError as error:
        if isinstance(error, ModelFileError) or read_metadata(name) is not None:
            raise
        raise ValueError(
            "`teacher` must be a file that keras-osnet exported, which says what its input is; "
            "for another, compute the vectors with `keras-osnet embed --pixel-range …` and "
            f"take their table. Received: {name}"
        ) from error


def _check_tag(name: str) -> None:
    try:
        find_weights(name, variant="base", width=None)
    except ValueError as error:
        tags = ", ".join(dict.fromkeys(each.tag for each in list_weights(variant="base")))
        raise ValueError(
            f"`teacher` must be a file that exists, or the tag of published weights: {tags}. "
            f"Received: {name}"
        ) from error


def vectors_of_files(table: EmbeddedImages, paths: Sequence[Path]) -> NDArray[np.float32]:
    """Return the rows of a table of vectors for some files, (files, dim).

    The table's names are looked up as absolute paths.

    Raises:
        ValueError: A file is not in the table, is there twice, or its vector is zero or not finite.
    """
    rows: dict[str, int] = {}
    for row, path in enumerate(table.paths):
        if rows.setdefault(_absolute(path), row) != row:
            raise ValueError(
                f"`teacher` must have one row for each image. Received: two rows for {path}"
            )
    names = [_absolute(path) for path in paths]
    lost = [path for path, name in zip(paths, names, strict=True) if name not in rows]
    if lost:
        raise ValueError(
            "`teacher` is a table of vectors, which must have a row for each image, named by its "
            f"path: {len(lost):,} of {len(paths):,} images are not in it, the first being "
            f"{lost[0]}. Received: a table of {len(table.paths):,} rows, such as "
            f"{table.paths[0] if table.paths else 'none'}"
        )
    found = np.asarray(table.vectors)[[rows[name] for name in names]]
    with np.errstate(over="ignore"):  # refused as infinite
        return _usable(found.astype(np.float32), paths)


def _usable(vectors: NDArray[np.float32], paths: Sequence[Path]) -> NDArray[np.float32]:
    """Return vectors of files, or raise ValueError if one has no direction to learn."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
    usable = finite & vectors.any(axis=1)
    if not usable.all():
        first = int(np.argmin(usable))
        raise ValueError(
            "`teacher` must give a finite vector that is not zero for every image. Received: "
            f"{'a zero vector' if finite[first] else 'NaN or infinity'} for {paths[first]}"
        )
    return vectors


def _by_exported_file(
    embedder: Embedder,
    paths: Sequence[Path],
    flip: bool,
    progress: Callable[[int], None] | None,
) -> NDArray[np.float32]:
    vectors = np.empty((len(paths), embedder.dim), np.float32)
    for start in range(0, len(paths), _CHUNK):
        chunk = paths[start : start + _CHUNK]
        loaded = load_images(chunk, embedder.image_size)
        if loaded.unreadable:
            raise ImageReadError(loaded.unreadable)
        found = embedder.embed(loaded.images)
        if flip:
            mirror_images = np.ascontiguousarray(loaded.images[:, :, ::-1])
            found = flip_average(found, embedder.embed(mirror_images))
        vectors[start : start + len(chunk)] = found
        if progress is not None:
            progress(start + len(chunk))
    return vectors


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


def _dim(teacher: "keras.Model | Embedder | EmbeddedImages") -> int:
    """Return the length of a teacher's vectors."""
    if isinstance(teacher, Embedder):
        return teacher.dim
    if isinstance(teacher, EmbeddedImages):
        return np.shape(teacher.vectors)[1]
    return teacher.output_shape[1]


def _digest(teacher: "keras.Model | Embedder | EmbeddedImages", paths: Sequence[Path]) -> str:
    """Return a digest of all that determines a teacher's vectors of images."""
    if isinstance(teacher, Embedder):
        return teacher.digest
    if isinstance(teacher, EmbeddedImages):
        return digest(vectors_of_files(teacher, paths).tobytes())
    weights = b"".join(np.ascontiguousarray(each).tobytes() for each in teacher.get_weights())
    return digest(architecture_digest(teacher).encode() + weights)
