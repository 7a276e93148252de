"""Embed the chunks of an input in this process."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import loaded_ahead
from keras_osnet.bulk.crops import Chunk, CropLoader
from keras_osnet.runtime.embedder import Embedder

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class EmbeddedChunk:
    """A chunk of n crops with vectors.

    Attributes:
        keys: Of all n crops.
        vectors: Those of the readable ones, (n - unreadable, dim).
        unreadable: The reason for each other crop, by index in the chunk.
        columns: Record batch of the n crops' other columns.
        position: Share of the input that was read when the chunk was complete, 0–1.
    """

    keys: Sequence[str]
    vectors: NDArray[np.float32]
    unreadable: dict[int, str]
    columns: "pa.RecordBatch"
    position: float


def embed_chunks(chunks: Iterable[Chunk], embedder: Embedder) -> Iterator[EmbeddedChunk]:
    """Yield the embedded chunks; the next ones are decoded while the engine runs."""
    with CropLoader(embedder.image_size) as loader:
        for loaded in loaded_ahead(loader.load, chunks):
            chunk, vectors = loaded.chunk, embedder.embed(loaded.pixels)
            yield EmbeddedChunk(
                chunk.keys, vectors, loaded.unreadable, chunk.columns, chunk.position
            )
