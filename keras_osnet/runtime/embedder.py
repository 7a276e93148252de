"""Compute embeddings of images with an exported model."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import one_of, path_of
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.runtime.boxes import cut_out
from keras_osnet.runtime.effective_metadata import check_input_arguments, effective_metadata
from keras_osnet.runtime.engines import open_engine
from keras_osnet.runtime.images import ImageReader, listed
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError, read_model_file
from keras_osnet.runtime.replace_metadata import digest_without_threshold
from keras_osnet.runtime.same_person import SamePerson, compare
from keras_osnet.runtime.tracker_embedder import TrackerEmbedder

_CHUNK = 128
"""Images between two reports of progress."""

_NORM_EPSILON = 1e-12


class Embedder:
    """Compute embeddings with an exported model; neither TensorFlow nor Keras is needed.

    Images are resized and normalized exactly as in training: bilinear with antialiasing, as
    Pillow does it. May be called from several threads, whose calls then wait for each other. Can
    be pickled (the file is loaded again where it is unpickled). Raises RuntimeError in a process
    that was forked after the embedder was created.

    Files of other software, such as an ONNX file of torchreid, BoxMOT or Ultralytics, do not say
    what their input is: give at least `pixel_range`. The size of the images, the layout and the
    number of images at once are read from the file. One vector of length `dim` per image is needed;
    axes of length 1, as in (batch, dim, 1, 1), are dropped.

    Args:
        path: A `.tflite`, `.onnx` or OpenVINO `.xml` file, from `keras_osnet.deploy` or other
            software.
        engine: "litert" for `.tflite`, "onnxruntime" for `.onnx`, "openvino" for `.xml` and
            `.onnx`; "auto" selects one that takes the file and is installed.
        precision: Precision of the computation: "float32", or "bfloat16", which OpenVINO has on
            processors that support it: faster, with about 3 digits. Weights that the file stores
            in fewer bits stay as they are.
        threads: Number of threads that the engine uses on the CPU; by default, all processors that
            this process may use.
        device: "cpu"; for onnxruntime also "cuda", "tensorrt", "directml" ("cuda:1" is the second
            GPU) and "coreml"; for OpenVINO also its names of devices, such as "openvino:GPU" and
            "openvino:NPU". "auto" is a GPU where a package of onnxruntime for CUDA or DirectML is
            installed and works, otherwise the CPU.
        image_size: (height, width) that images are resized to; required for a model that takes
            images of any size.
        pixel_range: For a file of other software, the range of its input: "0-255", "0-1" or
            "normalized" ((pixel / 255 - mean) / std per channel). Its type is that of the file's
            input.
        mean: With `pixel_range="normalized"`, of red, green and blue in 0–1; by default, those of
            ImageNet.
        std: Likewise, the standard deviations.
        channels: For a file of other software, the order of its input's colors: "RGB" (the
            default) or "BGR".
        layout: For a file of other software, "NHWC" (channels last) or "NCHW"; by default, as the
            shape of its input tells.
        output: Name of the embeddings among several outputs.
        verify: A file that keras-osnet wrote holds SHA-256 digests, which are compared before an
            engine sees it, because a damaged file can crash an engine and the process with it. A
            file without digests, such as one of other software, is loaded with a warning; with
            True, it is refused; with False, there is no warning. Load only those that you trust.

    Attributes:
        path: The file, with its folders.
        metadata: As `keras_osnet.runtime.read_metadata` returns it, or made from the arguments.
        engine: Name of the engine that runs the file.
        device: The device that it runs on, such as "cpu", "cuda:0" or "openvino:GPU". Operations
            that a device lacks are computed on the CPU.
        image_size: (height, width) that images are resized to.
        dim: Length of the embeddings.
        digest: SHA-256 digest of the file in hex, which tells whose vectors can be compared; of a
            file with a threshold, as it was without.

    Raises:
        FileNotFoundError: There is no such file.
        keras_osnet.runtime.ModelFileError: The file is damaged, holds a model for another task, or
            is without a digest where `verify` is True. This is a ValueError.
        ValueError: The file is of another kind, an argument is not as above, is missing or
            contradicts the file, or the device is not there or does not work.
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
        device: str = "auto",
        image_size: tuple[int, int] | None = None,
        pixel_range: str | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: str | None = None,
        layout: str | None = None,
        output: str | None = None,
        verify: bool | None = None,
    ) -> None:
        model = read_model_file(path)
        tensor: dict[str, Any] = {
            "pixel_range": pixel_range,
            "mean": mean,
            "std": std,
            "channels": channels,
            "layout": layout,
        }
        self.path = model.path.absolute()
        self._arguments: dict[str, Any] = {
            "engine": engine,
            "device": device,
            "precision": precision,
            "threads": threads,
            "image_size": image_size,
            **tensor,
            "output": output,
            "verify": verify,
        }
        check_input_arguments(model, tensor)
        _check_verified(model, one_of("verify", verify, (None, True, False)))
        self._engine = open_engine(
            model, engine, precision=precision, threads=threads, device=device, output=output
        )
        self.metadata, self.image_size = effective_metadata(model, self._engine, image_size, tensor)
        self.engine, self.device = self._engine.name, self._engine.device
        self.dim = self.metadata.dim
        self.digest = digest_without_threshold(model)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Embedder, **self._arguments), (self.path,)

    def __repr__(self) -> str:
        shown = self._arguments | {"engine": self.engine, "device": self.device}
        given = [f"{name}={value!r}" for name, value in shown.items() if value is not None]
        return f"Embedder({', '.join([repr(os.fspath(self.path)), *given])})"

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

    def same_person(self, first: Any, second: Any) -> SamePerson:
        """Tell whether two images show the same person, by the threshold in the file.

        `keras-osnet threshold` chooses it on your images and writes it into the file.

        Args:
            first: An image as `embed` takes it, or its embedding: array (dim,).
            second: Likewise.

        Returns:
            A `keras_osnet.runtime.same_person.SamePerson` with `same`, `similarity` and
            `threshold`; true in a condition if the similarity is at least the threshold.

        Raises:
            ImageReadError: A file cannot be read as an image.
            TypeError: An image is of another type.
            ValueError: The file has no threshold, an embedding is not of the shape above or not
                finite, or an image is not one.
        """
        return compare(self, first, second)

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
        reader = ImageReader(images, self.image_size)
        if len(images) <= _CHUNK and progress is None:
            return self._run(reader, 0, len(images)), dict(sorted(reader.unreadable.items()))
        vectors = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), _CHUNK):
            stop = min(start + _CHUNK, len(images))
            vectors[start:stop] = self._run(reader, start, stop)
            if progress is not None:
                progress(stop)
        return vectors, dict(sorted(reader.unreadable.items()))

    def _run(self, reader: ImageReader, first: int, last: int) -> NDArray[np.float32]:
        """Return the vectors of images `first` to `last` - 1."""
        outputs = self._engine.run_loaded(
            lambda start, stop: self.metadata.to_input(reader.read(first + start, first + stop)),
            last - first,
            waits=reader.waits,
        )
        count = last - first
        if outputs.size != count * self.dim:
            raise ModelFileError(
                f"The model must give one vector of {self.dim} numbers for each image. "
                f"Received: output of shape {outputs.shape} for {count} images from "
                f"{self.path}"
            )
        vectors = outputs.reshape(count, self.dim)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        finite = np.isfinite(lengths)
        if not finite.all():
            raise ModelFileError(
                "The model's output is not finite; the file is damaged or was converted wrongly. "
                f"Received: {np.count_nonzero(~finite)} such rows of {len(vectors)} "
                f"from {self.path}"
            )
        vectors /= np.maximum(lengths, _NORM_EPSILON)[:, None]
        return vectors


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
