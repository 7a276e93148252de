"""Files of Keras, written by way of the memory.

HDF5 ends the process by a signal if the disk is full when it closes a file that it writes itself.
"""

import io
import os
from typing import TYPE_CHECKING

from keras_osnet._utils.files import atomic_path

if TYPE_CHECKING:
    import keras


class FileInMemory(io.BytesIO):
    """A file in memory that has the ending by which Keras chooses the format."""

    def __init__(self, ending: str, content: bytes = b"") -> None:
        super().__init__(content)
        self._name = f"model{ending}"

    def __str__(self) -> str:
        return self._name


def save_with_keras(model: "keras.Model", path: str | os.PathLike[str]) -> None:
    """Save a whole model as `.keras`, or its weights as `.weights.h5`, by the ending of the path.

    Raises:
        ValueError: The path has another ending.
        FileNotFoundError: The folder does not exist.
        OSError: The file cannot be written; the message names it.
    """
    import keras

    if os.fspath(path).endswith(".keras"):
        content = FileInMemory(".keras")
        keras.saving.save_model(model, content)
    elif os.fspath(path).endswith(".weights.h5"):
        content = FileInMemory(".weights.h5")
        keras.saving.save_weights(model, content)
    else:
        raise ValueError(f"`path` must end in .keras or .weights.h5. Received: {os.fspath(path)}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())
