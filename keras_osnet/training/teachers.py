"""Teachers of a distillation: networks, exported files and tables, and the vectors they give."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import boolean, one_of
from keras_osnet.data import ImageReadError, load_images
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.evaluation.embed import check_embedder, embed_images
from keras_osnet.metrics.features import (
    checked_features,
    concatenate_features,
    flip_average,
    normalize,
)
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.read_metadata import FILE_KINDS
from keras_osnet.training.run_folder import digest
from keras_osnet.training.vector_table import is_vector_table, read_vector_table
from keras_osnet.weights.catalogue import find_weights, list_weights

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

    def describe(self) -> dict[str, Any]:
        """Return what the vectors depend on, of types that JSON has."""
        teachers = [_digest(each) for each in self._teachers]
        return {"teachers": teachers, "flip": self.flip, "combine": self.combine}

    def check(self, paths: Sequence[Path]) -> None:
        """Raise ValueError if a table lacks an image, before anything is written or computed."""
        for teacher in self._teachers:
            if isinstance(teacher, EmbeddedImages):
                vectors_of_files(teacher, paths)

    def embed(
        self, paths: Sequence[Path], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the vectors of images, (images, dim), each of length 1.

        Args:
            paths: The files.
            progress: Called with the number of files done so far; files count once per teacher.

        Raises:
            ImageReadError: A file cannot be read.
            ValueError: A table lacks an image, a vector is zero or not finite, or lengths differ
                that are to be averaged.
        """
        parts = []
        for number, teacher in enumerate(self._teachers):
            before = number * len(paths)
            report = None if progress is None else lambda done, b=before: progress(b + done)
            parts.append(self._of_one(teacher, paths, report))
        lengths = [part.shape[1] for part in parts]
        if self.combine == "average" and len(set(lengths)) > 1:
            raise ValueError(
                '`combine="average"` needs teachers with vectors of one length; "concatenate" '
                f"takes any. Received: lengths {', '.join(map(str, lengths))}"
            )
        for part in parts:
            zero = ~checked_features(part, "teacher").any(axis=1)
            if zero.any():
                raise ValueError(
                    "`teacher` must give a vector that is not zero for every image. Received: a "
                    f"zero vector for {paths[int(np.argmax(zero))]}"
                )
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
            return _by_exported_file(teacher, paths, self.flip, progress)
        return embed_images(teacher, paths, flip=self.flip, progress=progress).vectors


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
    if isinstance(teacher, Embedder | EmbeddedImages):
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
    if name.lower().endswith(FILE_KINDS):
        if read_metadata(name) is None:
            raise ValueError(
                "`teacher` must be a file that keras-osnet exported, which says what its input is; "
                "for another, compute the vectors with `keras-osnet embed --pixel-range …` and "
                f"take their table. Received: {name}"
            )
        return Embedder(name)
    if is_vector_table(name):
        return read_vector_table(name)
    if not (name.startswith("hf://") or Path(name).expanduser().exists()):
        _check_tag(name)
    checkpoint = open_checkpoint(name)
    return checkpoint.build(
        head="embedding", image_size=checkpoint.embedding_size, include_preprocessing=True
    )[0]


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
        ValueError: A file is not in the table.
    """
    rows = {_absolute(path): row for row, path in enumerate(table.paths)}
    names = [_absolute(path) for path in paths]
    lost = [path for path, name in zip(paths, names, strict=True) if name not in rows]
    if lost:
        raise ValueError(
            "`teacher` is a table of vectors, which must have a row for each image, named by its "
            f"path: {len(lost):,} of {len(paths):,} images are not in it, the first being "
            f"{lost[0]}. Received: a table of {len(table.paths):,} rows, such as "
            f"{table.paths[0] if table.paths else 'none'}"
        )
    return np.asarray(table.vectors, np.float32)[[rows[name] for name in names]]


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


def _digest(teacher: "keras.Model | Embedder | EmbeddedImages") -> str:
    """Return a digest of all that determines a teacher's vectors."""
    if isinstance(teacher, Embedder):
        return teacher.digest
    if isinstance(teacher, EmbeddedImages):
        content = np.ascontiguousarray(teacher.vectors).tobytes()
        return digest(content + "\n".join(path.name for path in teacher.paths).encode())
    weights = b"".join(np.ascontiguousarray(each).tobytes() for each in teacher.get_weights())
    return digest(f"{teacher.input_shape} {teacher.output_shape}".encode() + weights)
