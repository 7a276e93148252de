"""The base class of the engines: one model file, ready to run."""

import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import padded

PRECISIONS = ("float32", "bfloat16")

Shape = tuple[int | None, ...]


class Engine(ABC):
    """One model file in one engine, with one image tensor in and one tensor out.

    Attributes:
        name: The engine's, as `Embedder` takes it.
        package: Name of its package in the package index.
        input_shape: (batch, height, width, channels), None for sides of any length.
        input_dtype: NumPy's name for the type of the image tensor.
        output_shape: Of the result, batch first.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    """Name that `package` is imported by."""
    images_a_thread: ClassVar[int]
    """Images per thread that are run together where the file takes any number: with more, the
    feature maps do not stay in the cache."""

    input_shape: Shape
    input_dtype: str
    output_shape: Shape

    def __init__(self, file: Path, *, precision: str, threads: int) -> None:  # noqa: ARG002
        self._most_at_once = self.images_a_thread * threads
        self._lock = threading.Lock()
        self._process = os.getpid()

    def run(self, images: NDArray) -> NDArray[np.float32]:
        """Run the model on any number of images, in as many steps as the file needs.

        May be called from several threads: the calls wait for each other, because each of them
        uses all of the engine's own threads.

        Args:
            images: Array (n, height, width, channels), uint8 or float32; the values before
                any quantization of the model's input tensor.

        Returns:
            Array (n, ...), float32.

        Raises:
            RuntimeError: The process was forked after the file was loaded.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.name} cannot run in a process that was forked after the model was loaded: "
                "its threads stayed behind. Start processes with the method 'spawn', or load the "
                f"model in each. Received: process {os.getpid()}, loaded in {self._process}"
            )
        fixed = self.input_shape[0]
        step = fixed or self._most_at_once
        with self._lock:
            if len(images) == step or (0 < len(images) < step and not fixed):
                return self._run(images)
            results = [self._run_part(images[k : k + step]) for k in range(0, len(images), step)]
        if not results:
            return np.empty((0, *(side or 0 for side in self.output_shape[1:])), np.float32)
        return np.concatenate(results)

    def _run_part(self, part: NDArray) -> NDArray[np.float32]:
        """Run at most one step, padded with black images where the file takes a fixed number."""
        return self._run(padded(part, self.input_shape[0] or len(part)))[: len(part)]

    @abstractmethod
    def _run(self, images: NDArray) -> NDArray[np.float32]:
        """Run as many images as the file takes; the result is not overwritten by the next run."""


def unusable(file: Path, engine: type[Engine], error: Exception) -> ValueError:
    """Return the ValueError for a file that an engine cannot load."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return ValueError(
        f"{engine.package} cannot load the model; the file is damaged or of another kind, or needs "
        f"another version of {engine.package}: {reason}. Received: {file}"
    )


def only_float32(engine: type[Engine], precision: str) -> None:
    """Raise ValueError unless `precision` is float32."""
    if precision != "float32":
        raise ValueError(
            f"`precision` must be float32 with the engine {engine.name}; bfloat16 is OpenVINO's. "
            f"Received: {precision!r}"
        )


def only_one(file: Path, what: str, names: list[str]) -> None:
    """Raise ValueError unless a model has exactly one input or output."""
    if len(names) != 1:
        raise ValueError(f"The model must have one {what}. Received: {names} in {file}")
