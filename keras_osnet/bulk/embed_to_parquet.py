"""Embed any number of crops into a Parquet data set."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keras_osnet._utils.checks import boolean, one_of, path_of, positive_integer
from keras_osnet.bulk.local_engine import embed_chunks
from keras_osnet.bulk.open_source import Input, open_source
from keras_osnet.bulk.ray_engine import embed_with_ray
from keras_osnet.bulk.selection import Selection, check_shard
from keras_osnet.bulk.writer import Model, VectorWriter, locked
from keras_osnet.runtime.embedder import Embedder

DTYPES = ("float16", "float32")
ENGINES = ("local", "ray")

_SECONDS_PER_PART = 120.0
"""A part is written at least this often, so that a process that is killed loses little."""

_NAMED = 10


@dataclass(frozen=True)
class BulkResult:
    """What a run of `embed_to_parquet` has done.

    Attributes:
        folder: The data set.
        vectors: Number of vectors that were written.
        unreadable: Number of inputs that could not be read.
        reasons: The first of these, ten at most, with the reason for each.
        skipped: Number of crops that were in the data set before, of all shards.
        seconds: Time from the first crop on.
    """

    folder: Path
    vectors: int
    unreadable: int
    reasons: dict[str, str]
    skipped: int
    seconds: float


def embed_to_parquet(
    images: Input,
    folder: str | os.PathLike[str],
    embedder: Embedder,
    *,
    boxes: str | os.PathLike[str] | None = None,
    dtype: str = "float16",
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    engine: str = "local",
    rows_per_part: int = 20_000,
    progress: Callable[[int, float], None] | None = None,
) -> BulkResult:
    """Embed crops into a Parquet data set; see `VectorDataset` for its columns.

    The next crops are decoded while the engine runs. Parts are written whole: a process that is
    killed loses at most two minutes of work, which `resume` repeats. Memory does not grow with the
    input, but for 8 bytes for each row of a list or crop that is done, the names of a folder's
    files, and a video's table of boxes.

    Args:
        images: A folder of images; a list (`.csv`, `.tsv`, `.parquet`) with the column `path` and
            any others; one or several tar files in WebDataset form; or a video. `ListSource`,
            `TarSource` and `VideoSource` say which columns mean what.
        folder: The folder to write to.
        embedder: The model.
        boxes: For a video, the table of its boxes.
        dtype: Type of the vectors: "float16" (which changes no ranking that was measured), or
            "float32".
        resume: Embed only the crops that the folder does not hold. Those that could not be read
            are not tried again, unless the folder `_unreadable` in it is deleted.
        shard: (shard, number of shards), from 1, for several processes or machines that write to
            the same folder, or to folders whose files are moved into one afterwards. A crop's shard
            depends on its key only.
        engine: "local" is this process. "ray" is Ray Data: on this machine, or on the cluster that
            `RAY_ADDRESS` names, whose machines must see the input and the model's file under the
            same paths; this process writes the folder.
        rows_per_part: Rows of a file, at most; they are held in memory until it is written.
        progress: Called after every chunk with the number of crops done, and the share of the input
            that was read (0–1).

    Returns:
        A `BulkResult`.

    Raises:
        OSError: The input cannot be read, or the folder not be written to; or Ray has failed.
        BlockingIOError: Another process writes to this shard of the folder.
        ValueError: The input or an argument is not as above; the folder holds vectors already and
            `resume` is False; or it holds vectors of another model, or with other columns.
        ImportError: pyarrow, OpenCV for a video, or Ray is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.bulk import VectorDataset, embed_to_parquet
        >>> from keras_osnet.deploy import litert_embedder
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> folder = getfixture("tmp_path")
        >>> people = write_synthetic_people(folder / "crops", 2, cameras=2, views=1)
        >>> model = keras_osnet.OSNet(
        ...     0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
        ... )
        >>> result = embed_to_parquet(folder / "crops", folder / "vectors", litert_embedder(model))
        >>> result.vectors, VectorDataset(folder / "vectors").vectors().shape
        (4, (4, 512))
    """
    one_of("dtype", dtype, DTYPES)
    one_of("engine", engine, ENGINES)
    shard = check_shard(shard)
    positive_integer("rows_per_part", rows_per_part)
    target = path_of("folder", folder)
    crops = open_source(images, boxes)
    target.mkdir(parents=True, exist_ok=True)
    model = Model(embedder.digest, embedder.metadata.name, embedder.dim)
    writer = VectorWriter(target, model, dtype, crops.schema, shard, rows_per_part)
    vectors = unreadable = 0
    reasons: dict[str, str] = {}
    with locked(target, shard):
        writer.check_folder(boolean("resume", resume))
        selection = Selection(*shard, writer.done() if resume else Selection().done)
        if engine == "ray":
            embedded = embed_with_ray(crops, selection, embedder)
        else:
            embedded = embed_chunks(crops.chunks(selection), embedder)
        started = written = time.monotonic()
        try:
            for chunk in embedded:
                writer.add(chunk.keys, chunk.vectors, chunk.unreadable, chunk.columns)
                vectors += len(chunk.vectors)
                unreadable += len(chunk.unreadable)
                for row in sorted(chunk.unreadable)[: _NAMED - len(reasons)]:
                    reasons[chunk.keys[row]] = chunk.unreadable[row]
                if time.monotonic() - written > _SECONDS_PER_PART:
                    writer.flush()
                    written = time.monotonic()
                if progress is not None:
                    progress(vectors + unreadable, chunk.position)
        except KeyboardInterrupt:
            writer.flush()
            raise
        writer.flush()
    seconds = time.monotonic() - started
    return BulkResult(target, vectors, unreadable, reasons, len(selection.done), seconds)
