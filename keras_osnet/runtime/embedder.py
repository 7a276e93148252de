"""Compute embeddings of images with an exported model."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.batches import loaded_ahead
from keras_osnet._utils.checks import check_image_size, one_of, path_of
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.runtime.boxes import cut_out
from keras_osnet.runtime.engines import Engine, Shape, open_engine
from keras_osnet.runtime.images import as_pixels, listed
from keras_osnet.runtime.metadata import PIXEL_RANGES, ModelMetadata
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError, read_model_file
from keras_osnet.runtime.tracker_embedder import TrackerEmbedder

_CHUNK = 32
"""Images that are decoded and held at once."""

_NORM_EPSILON = 1e-12

_DTYPES = ("uint8", "int8", "float16", "float32")
"""Supported types of an image tensor."""

_Pixels = tuple[NDArray[np.uint8], dict[int, ImageReadError]]


class Embedder:
    """Compute embeddings with an exported model; neither TensorFlow nor Keras is needed.

    Images are resized and normalized exactly as in training: bilinear with antialiasing, as
    Pillow does it. May be called from several threads, whose calls then wait for each other. Can
    be pickled (the file is loaded again where it is unpickled). Raises RuntimeError in a process
    that was forked after the embedder was created.

    Args:
        path: A `.tflite`, `.onnx` or OpenVINO `.xml` file, from `keras_osnet.deploy` or a
            converter.
        engine: "litert" for `.tflite`, "onnxruntime" for `.onnx`, "openvino" for `.xml` and
            `.onnx`; "auto" selects one that takes the file and is installed.
        precision: Precision of the computation: "float32", or "bfloat16", which OpenVINO has on
            processors that support it: faster, with about 3 digits. Weights that the file stores
            in fewer bits stay as they are.
        threads: Number of threads that the engine uses; by default, all processors that this
            process may use.
        image_size: (height, width) that images are resized to; required for a model that takes
            images of any size.
        pixel_range: For a file that was not written by keras-osnet, the range of its input: "0-255"
            (RGB), "0-1" or "normalized" ((pixel / 255 - mean) / std per channel, with ImageNet's
            mean and std). Its type is that of the file's input.
        verify: A file that keras-osnet wrote holds SHA-256 digests, which are compared before an
            engine sees it, because a damaged file can crash an engine and the process with it. A
            file without digests, such as one of another converter, is loaded with a warning; with
            True, it is refused; with False, there is no warning. Load only those that you trust.

    Attributes:
        metadata: As `keras_osnet.runtime.read_metadata` returns it, or made from the arguments.
        engine: Name of the engine that runs the file.
        image_size: (height, width) that images are resized to.
        dim: Length of the embeddings.

    Raises:
        FileNotFoundError: There is no such file.
        keras_osnet.runtime.ModelFileError: The file is damaged, holds a model for another task, or
            is without a digest where `verify` is True. This is a ValueError.
        ValueError: The file is of another kind, or an argument is not as above.
        ImportError: Pillow, or the engine, is not installed.

    Example:
        >>> import keras_osnet, numpy as np
        >>> from keras_osnet.deploy import export
        >>> from keras_osnet.runtime import Embedder
        >>> file = getfixture("tmp_path") / "osnet.tflite"
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> report = export(model, file)
        >>> embedder = Embedder(file)
        >>> frame = np.zeros((480, 640, 3), "uint8")
        >>> embedder.embed_crops(frame, [(10, 20, 60, 140), (600.5, 0, 700, 99.7)]).shape
        (2, 512)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        engine: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        *,
        image_size: tuple[int, int] | None = None,
        pixel_range: str | None = None,
        verify: bool | None = None,
    ) -> None:
        model = read_model_file(path)
        file = model.path
        self._arguments = (
            *(file.absolute(), engine, precision, threads),
            {"image_size": image_size, "pixel_range": pixel_range, "verify": verify},
        )
        _check_pixel_range(model, pixel_range)
        _check_verified(model, verify)
        self._engine = open_engine(model, engine, precision=precision, threads=threads)
        self.metadata: ModelMetadata = _effective_metadata(model, self._engine, pixel_range)
        self.engine = self._engine.name
        self.image_size = _effective_size(self.metadata, image_size, file)
        self.dim = self.metadata.dim

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, self._arguments

    def __repr__(self) -> str:
        return f"Embedder({os.fspath(self._arguments[0])!r}, engine={self.engine!r})"

    def __call__(self, images: Any) -> NDArray[np.float32]:
        """Call `embed`."""
        return self.embed(images)

    def embed(self, images: Any) -> NDArray[np.float32]:
        """Compute the embeddings of images.

        Args:
            images: An array (n, height, width, 3) or (height, width, 3), uint8, RGB of 0–255 (of
                OpenCV's BGR pass `frame[:, :, ::-1]`); a path; a Pillow image; or a list of paths,
                Pillow images and arrays (height, width, 3), which may differ in size. All are
                resized to `image_size`.

        Returns:
            Array (n, dim), float32, each row of length 1 in the L2 norm; (0, dim) for no images.

        Raises:
            ImageReadError: Files cannot be read as images; it names all of them.
                `embed_files` leaves them out instead.
            TypeError: An array is not uint8, or an image is of another type.
            ValueError: An array is not of these shapes, or the model's output is not finite.
        """
        vectors, unreadable = self._embed(listed(images), None)
        if unreadable:
            raise ImageReadError.join(unreadable.values())
        return vectors

    @overload
    def embed_crops(
        self,
        frame: NDArray[np.uint8],
        boxes: ArrayLike,
        *,
        box_format: str = "xyxy",
        bgr: bool = False,
        invalid: Literal["raise", "nan"] = "raise",
    ) -> NDArray[np.float32]: ...

    @overload
    def embed_crops(
        self,
        frame: NDArray[np.uint8],
        boxes: ArrayLike,
        *,
        box_format: str = "xyxy",
        bgr: bool = False,
        invalid: Literal["skip"],
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]: ...

    def embed_crops(
        self,
        frame: NDArray[np.uint8],
        boxes: ArrayLike,
        *,
        box_format: str = "xyxy",
        bgr: bool = False,
        invalid: Literal["raise", "nan", "skip"] = "raise",
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Compute the embeddings of parts of a frame, such as the people that a detector found.

        Args:
            frame: Array (height, width, 3), uint8, RGB.
            boxes: Array (n, 4) in pixels of the frame, integers or floats; rounded to whole pixels
                and clipped to the frame.
            box_format: "xyxy" for (left, top, right, bottom), where (0, 0, width, height) is the
                whole frame; "ltwh" for (left, top, width, height), as COCO has them; or "xywh"
                for (center x, center y, width, height), as YOLO has them, in pixels.
            bgr: Whether the frame is BGR, as OpenCV reads it.
            invalid: What to do about a box that holds no pixel of the frame, or a number that is
                not finite: "raise" an error; "nan" makes its row NaN, so that
                `np.isfinite(vectors[:, 0])` tells which are valid; "skip" leaves its row out.

        Returns:
            Array (n, dim), float32, as `embed` gives them for the crops; (0, dim) for no boxes.
            With "skip", the tuple of the array (k, dim) of the k valid boxes and their indices in
            `boxes`, (k,).

        Raises:
            TypeError: The frame is not uint8.
            ValueError: The frame or the boxes are not of these shapes, an argument is not as
                above, or with "raise", a box is invalid, or the boxes are fractions of the frame;
                the message gives the index.
        """
        one_of("invalid", invalid, ("raise", "nan", "skip"))
        crops, valid = cut_out(
            frame, boxes, box_format=box_format, bgr=bgr, strict=invalid == "raise"
        )
        vectors = self.embed(crops)
        if invalid == "skip":
            return vectors, np.flatnonzero(valid)
        if len(vectors) == len(valid):
            return vectors
        rows = np.full((len(valid), self.dim), np.nan, np.float32)
        rows[valid] = vectors
        return rows

    def for_tracker(self, *, box_format: str = "xyxy", bgr: bool = False) -> TrackerEmbedder:
        """Return the callable `(frame, boxes) -> (n, dim)` that trackers take.

        It gives one row of length 1 for every box, whatever the boxes are, and stops for none: the
        row of a box without a pixel of the frame, or with a NaN, is unlike every person.

        Args:
            box_format: As for `embed_crops`.
            bgr: As for `embed_crops`.

        Returns:
            A `keras_osnet.runtime.tracker_embedder.TrackerEmbedder`.

        Raises:
            ValueError: An argument is not as above.

        Example:
            >>> import keras_osnet, numpy as np
            >>> from keras_osnet.deploy import export
            >>> from keras_osnet.runtime import Embedder
            >>> file = getfixture("tmp_path") / "osnet.tflite"
            >>> model = keras_osnet.OSNet(
            ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
            ... )
            >>> report = export(model, file)
            >>> embed = Embedder(file).for_tracker(box_format="ltwh", bgr=True)
            >>> frame = np.zeros((480, 640, 3), "uint8")
            >>> embed(frame, [(10, 20, 50, 120), (700, 20, 50, 120)]).shape
            (2, 512)
        """
        return TrackerEmbedder(self, box_format=box_format, bgr=bgr)

    def embed_files(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> EmbeddedImages:
        """Compute the embeddings of many files, leaving out those that cannot be read.

        Args:
            paths: The files. One that cannot be read is reported in the result and does not stop
                the others.
            progress: Called after every chunk with the number of files done so far.

        Raises:
            TypeError: `paths` is one path.
            ValueError: There are no paths, or the model's output is not finite.
        """
        if isinstance(paths, str | bytes | os.PathLike):
            raise TypeError(
                "`paths` must be a list of files; keras_osnet.data.list_images lists those of a "
                f"folder. Received: {paths!r}"
            )
        files = [path_of("paths", path) for path in paths]
        if not files:
            raise ValueError("`paths` must name at least one image. Received: none")
        vectors, unreadable = self._embed(files, progress)
        return EmbeddedImages(
            vectors=np.delete(vectors, list(unreadable), axis=0) if unreadable else vectors,
            paths=[file for index, file in enumerate(files) if index not in unreadable],
            unreadable=ImageReadError.join(unreadable.values()).reasons,
        )

    def _embed(
        self, images: Sequence[Any], progress: Callable[[int], None] | None
    ) -> tuple[NDArray[np.float32], dict[int, ImageReadError]]:
        """Embed images in chunks; the rows of unreadable files are meaningless."""
        starts = range(0, len(images), _CHUNK)
        if len(starts) == 1 and progress is None:  # a tracker's frame: every 0.1 ms counts
            pixels, errors = self._pixels(images, 0)
            return self._run(pixels), errors
        vectors = np.empty((len(images), self.dim), np.float32)
        unreadable: dict[int, ImageReadError] = {}
        done = 0
        for pixels, errors in loaded_ahead(partial(self._pixels, images), starts):
            vectors[done : done + len(pixels)] = self._run(pixels)
            unreadable |= errors
            done += len(pixels)
            if progress is not None:
                progress(done)
        return vectors, unreadable

    def _pixels(self, images: Sequence[Any], start: int) -> _Pixels:
        return as_pixels(images[start : start + _CHUNK], self.image_size, start)

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = self._engine.run(self.metadata.to_input(pixels))
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        finite = np.isfinite(lengths)
        if not finite.all():
            raise ModelFileError(
                "The model's output is not finite; the file is damaged or was converted wrongly. "
                f"Received: {np.count_nonzero(~finite)} such rows of {len(vectors)} "
                f"from {self._arguments[0]}"
            )
        vectors /= np.maximum(lengths, _NORM_EPSILON)[:, None]
        return vectors


def _reopened(
    path: Path, engine: str, precision: str, threads: int | None, arguments: dict[str, Any]
) -> Embedder:
    """Create an embedder where it is unpickled; pickle passes no keyword arguments."""
    return Embedder(path, engine, precision, threads, **arguments)


def _check_pixel_range(model: ModelFile, pixel_range: str | None) -> None:
    """Raise ValueError unless the range of the pixels is known, from the file or the argument."""
    if pixel_range is not None and pixel_range not in PIXEL_RANGES:
        raise ValueError(
            f"`pixel_range` must be one of {PIXEL_RANGES} or None. Received: {pixel_range!r}"
        )
    if model.metadata is None:
        if pixel_range is None:
            raise ValueError(
                "The file does not say what its input is, because it was not written by "
                'keras-osnet or was cut off; pass pixel_range="0-255" (RGB, such as a model with '
                'include_preprocessing=True takes), pixel_range="0-1" or '
                f'pixel_range="normalized" (by preprocess_input). Received: {model.path}'
            )
    elif pixel_range not in (None, model.metadata.pixel_range):
        raise ValueError(
            "`pixel_range` contradicts the metadata of the file; leave it out. "
            f"Received: {pixel_range!r}, a model with pixel_range={model.metadata.pixel_range!r}"
        )


def _check_verified(model: ModelFile, verify: bool | None) -> None:
    """Warn of a file without digests, or raise ModelFileError if `verify` is True."""
    if model.is_verified or verify is False:
        return
    if verify:
        raise ModelFileError(
            "The file holds no digest, because keras-osnet did not write it, and cannot be "
            f"verified. Received: verify=True, {model.path}"
        )
    warn_user(
        f"{model.path.name} holds no digest, because keras-osnet did not write it. If it is "
        "damaged, the engine can crash; verify=False hides this warning for a file that you trust."
    )


def _effective_metadata(model: ModelFile, engine: Engine, pixel_range: str | None) -> ModelMetadata:
    """Return the metadata to use: that of the file, or else from the caller and the engine.

    Args:
        model: The file, for which `pixel_range` has been checked.
        engine: The engine with the loaded file.
        pixel_range: As for `Embedder`.

    Raises:
        ModelFileError: The model does not turn RGB images into embeddings, or the metadata is that
            of another model.
    """
    file, stored = model.path, model.metadata
    _check_tensors(file, engine, stored)
    batch, height, width, _ = _in_nhwc(engine.input_shape, stored)
    if stored is None:
        dim = engine.output_shape[1]
        if dim is None:
            raise ModelFileError(
                "The model must have embeddings of a fixed length. "
                f"Received: output of shape {engine.output_shape} in {file}"
            )
        whole = engine.input_dtype == "uint8" and pixel_range == "0-255"
        return ModelMetadata(
            name=file.stem,
            dim=dim,
            image_size=(height, width),
            pixel_range=pixel_range or "0-255",
            dtype="uint8" if whole else "float32",
            batch=batch,
        )
    agrees = all(
        found in (None, said)
        for found, said in zip(
            (batch, height, width, engine.output_shape[1]),
            (stored.batch, *stored.image_size, stored.dim),
            strict=True,
        )
    )
    if not agrees:
        raise ModelFileError(
            f"The file's metadata is that of another model: batch {stored.batch}, size "
            f"{stored.image_size}, dim {stored.dim}. Received: input {engine.input_shape}, output "
            f"{engine.output_shape} in {file}"
        )
    return stored


def _effective_size(
    metadata: ModelMetadata, image_size: tuple[int, int] | None, file: Path
) -> tuple[int, int]:
    """Return the (height, width) that images are resized to, or raise ValueError."""
    own = metadata.image_size
    if image_size is not None:
        check_image_size(image_size)
    height, width = own if image_size is None else image_size
    if (
        height is None
        or width is None
        or not (own[0] in (None, height) and own[1] in (None, width))
    ):
        raise ValueError(
            "`image_size` must be given for a model that takes images of any size, and agree with "
            f"one that does not. Received: image_size={image_size}, model of images {own} in {file}"
        )
    return height, width


def _check_tensors(file: Path, engine: Engine, stored: ModelMetadata | None) -> None:
    if stored is not None and stored.output_kind != "embedding":
        raise ModelFileError(
            "The model must give embeddings, and its task is another. "
            f"Received: {stored.output_kind} of {stored.dim} in {file}"
        )
    shape, dtype = engine.input_shape, engine.input_dtype
    if len(shape) != 4 or _in_nhwc(shape, stored)[3] not in (3, None) or dtype not in _DTYPES:
        raise ModelFileError(
            "The model must take RGB images (batch, height, width, 3), channels last, of "
            f"{', '.join(_DTYPES)}. Received: input of shape {shape} and type {dtype} in {file}"
        )
    if len(engine.output_shape) != 2:
        raise ModelFileError(
            "The model must give embeddings, one vector (batch, dim) an image. "
            f"Received: output of shape {engine.output_shape} in {file}"
        )


def _in_nhwc(shape: Shape, stored: ModelMetadata | None) -> Shape:
    """Return the shape of an image tensor as (batch, height, width, channels)."""
    if stored is None or stored.layout == "NHWC":
        return shape
    batch, channels, height, width = shape
    return batch, height, width, channels
