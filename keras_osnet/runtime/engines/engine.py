"""The base class of the engines."""

import os
import threading
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import padded
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError

Shape = tuple[int | None, ...]


class Engine(ABC):
    """One model file in one engine on one device, with one image tensor in and one tensor out.

    Attributes:
        name: The engine's, as `Embedder` takes it.
        package: Name of its package in the package index.
        device: The device that it computes on, such as "cpu" or "cuda:0".
        input_shape: Of the image tensor in the file's layout, batch first; None for sides of any
            length.
        input_dtype: NumPy's name for the type of the image tensor.
        output_shape: Of the result, batch first.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    """Name that `package` is imported by."""
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    device_kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    """Kinds of `Device` that it can compute on, where they are there."""
    images_a_thread: ClassVar[int]
    """Images per thread that are run together where the file takes any number: with more, the
    feature maps do not stay in the cache."""

    device: str
    input_shape: Shape
    input_dtype: str
    output_shape: Shape
    _at_once: int | None
    """Images at once that the device asks for, where the file takes any number."""

    @abstractmethod
    def __init__(
        self, model: ModelFile, *, precision: str, threads: int, device: Device, output: str | None
    ) -> None:
        if precision not in self.precisions:
            raise ValueError(
                f"`precision` must be float32 with the engine {self.name}; bfloat16 is OpenVINO's. "
                f"Received: {precision!r}"
            )
        self._file = model.path
        self._wanted_output = output
        self._most_at_once = self.images_a_thread * threads
        self._at_once = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def run(self, images: NDArray) -> NDArray[np.float32]:
        """Run the model on any number of images, in as many steps as the file needs.

        May be called from several threads: the calls wait for each other, because each of them
        uses all of the engine's own threads.

        Args:
            images: Array (n, ...) in the file's layout, uint8 or float32; the values before any
                quantization of the model's input tensor.

        Returns:
            Array (n, ...), float32.

        Raises:
            RuntimeError: The process was forked after the file was loaded.
            ModelFileError: The engine fails.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.name} cannot run in a process that was forked after the model was loaded: "
                "its threads stayed behind. Start processes with the method 'spawn', or load the "
                f"model in each. Received: process {os.getpid()}, loaded in {self._process}"
            )
        fixed = self.input_shape[0] or self._at_once
        step = fixed or self._most_at_once
        try:
            with self._lock:
                if len(images) == step or (0 < len(images) < step and not fixed):
                    return self._run(images)
                starts = range(0, len(images), step)
                results = [self._run_part(images[k : k + step]) for k in starts]
        except Exception as error:  # the engines' own have no common base class
            raise self._unusable("run", error) from error
        if not results:
            return np.empty((0, *(side or 0 for side in self.output_shape[1:])), np.float32)
        return np.concatenate(results)

    def _run_part(self, part: NDArray) -> NDArray[np.float32]:
        """Run at most one step, padded with black images where the file takes a fixed number."""
        fixed = self.input_shape[0] or self._at_once
        return self._run(padded(part, fixed or len(part)))[: len(part)]

    @abstractmethod
    def _run(self, images: NDArray) -> NDArray[np.float32]:
        """Run as many images as the file takes; the result is not overwritten by the next run."""

    def _unusable(self, task: str, error: Exception) -> ModelFileError:
        """Return the error for a file that the engine cannot load or run."""
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        return ModelFileError(
            f"{self.package} cannot {task} the model; the file is damaged or of another kind, or "
            f"needs another version of {self.package}: {reason}. Received: {self._file}"
        )

    def _output_index(self, inputs: list[str], outputs: list[str]) -> int:
        """Return the place of the output to use.

        Raises:
            ModelFileError: The model has several inputs, or several outputs and none is named.
            ValueError: The model has no output of the name.
        """
        if len(inputs) != 1:
            raise ModelFileError(
                f"The model must have one input. Received: {inputs} in {self._file}"
            )
        name = self._wanted_output
        if name is None and len(outputs) != 1:
            raise ModelFileError(
                "The model must have one output, or `output` must name that of the embeddings. "
                f"Received: {outputs} in {self._file}"
            )
        if name is not None and name not in outputs:
            raise ValueError(
                f"`output` must be the name of an output, one of {outputs}. "
                f"Received: {name!r}, {self._file}"
            )
        return 0 if name is None else outputs.index(name)
