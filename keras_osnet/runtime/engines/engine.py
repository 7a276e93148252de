"""The base class of the engines."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import loaded_ahead, padded
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.engines.sharing import Run, RunError, SharedRuns, run_or_explain
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError

Shape = tuple[int | None, ...]

_MOST_AT_ONCE = 16
"""Copies of a model that compute at once on processors with more threads."""


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
    device: str
    input_shape: Shape
    input_dtype: str
    output_shape: Shape
    _fixed: int | None
    """Images at once that the device asks for, where the file takes any number."""
    _most: int
    """Likewise, the most that are run together: one on a CPU. More would not be faster there, and
    whenever their number changes, OpenVINO takes several times as long."""

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
        self._most = 1
        self._fixed = None
        self._copies = min(threads, _MOST_AT_ONCE)
        self._threads_each = threads // self._copies
        self._shared: SharedRuns | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def run(self, images: NDArray) -> NDArray[np.float32]:
        """Run the model on any number of images, in as many steps as the file needs.

        Args:
            images: Array (n, ...) in the file's layout, uint8 or float32; the values before any
                quantization of the model's input tensor.

        Returns:
            Array (n, ...), float32.

        Raises:
            RuntimeError, ModelFileError: As `run_loaded`.
        """
        return self.run_loaded(lambda start, stop: images[start:stop], len(images))

    def run_loaded(
        self, load: Callable[[int, int], NDArray], count: int, *, waits: bool = False
    ) -> NDArray[np.float32]:
        """Run the model on images that are loaded by the threads that run it.

        On the CPU, several images run at the same time on a thread each, and a single one on all
        threads. May be called from several threads: the calls wait for each other, because each of
        them uses all of the engine's own threads.

        Args:
            load: Function from the index of a first image, and of the one after the last, to these
                images, as for `run`. Several threads call it.
            count: Number of images.
            waits: Whether `load` waits for a disk or a network, so that more are loaded at once.

        Returns:
            Array (count, ...), float32.

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
        if not count:
            return np.empty((0, *(side or 0 for side in self.output_shape[1:])), np.float32)
        fixed = self.input_shape[0] or self._fixed
        size = fixed or self._most
        steps = -(-count // size)

        def part(step: int) -> NDArray:
            images = load(step * size, min((step + 1) * size, count))
            return padded(images, fixed or len(images))

        try:
            with self._lock:
                results = self._results(part, steps, waits)
        except RunError as error:
            cause = error.__cause__
            raise self._unusable("run", cause) from cause  # type: ignore[arg-type]
        return results[0][:count] if steps == 1 else np.concatenate(results)[:count]

    def _results(self, part: Callable[[int], NDArray], steps: int, waits: bool) -> list[NDArray]:
        """Return the outputs of each step."""
        if steps == 1 or self._copies == 1 or self._most > 1:
            ahead = steps > 1 and (waits or self._most > 1)
            loaded = loaded_ahead(part, range(steps)) if ahead else map(part, range(steps))
            return [run_or_explain(self._run, images) for images in loaded]
        # A step that would be left to one thread is done by all of them.
        left = steps % self._copies == 1
        results = self._shared_runs().map(part, steps - left, waits=waits)
        return [*results, run_or_explain(self._run, part(steps - 1))] if left else results

    def _shared_runs(self) -> SharedRuns:
        """Load the copies of the model, when several images come for the first time."""
        if self._shared is None:
            try:
                self._shared = SharedRuns(self._parallel(self._copies, self._threads_each))
            except Exception as error:
                raise self._unusable("load", error) from error
        return self._shared

    @abstractmethod
    def _run(self, images: NDArray) -> NDArray[np.float32]:
        """Run as many images as the file takes, on all threads; the result is the caller's own."""

    @abstractmethod
    def _parallel(self, copies: int, threads: int) -> list[Run]:
        """Return functions like `_run` that may run at the same time, on some threads each."""

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
