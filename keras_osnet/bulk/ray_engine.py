"""Embed the chunks of an input with Ray Data, on one machine or a cluster."""

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_osnet._utils.optional import require
from keras_osnet.bulk._arrow import arrow
from keras_osnet.bulk.crops import Source
from keras_osnet.bulk.local_engine import EmbeddedChunk, embed_chunks
from keras_osnet.bulk.selection import Selection
from keras_osnet.runtime.embedder import Embedder

_CHUNKS = 8
"""Chunks that an actor gets at once."""

_CPUS = 4
"""Of an actor, at most: decoding and engine share them."""

_BLOCK = 1 << 16
"""Bytes of the blocks of Ray Data, which would gather 128 MB before an actor gets any."""

_CONTENT = "content"
"""Column of the blocks: a pickled `Chunk` or `EmbeddedChunk` in each row."""


def embed_with_ray(
    source: Source, selection: Selection, embedder: Embedder
) -> Iterator[EmbeddedChunk]:
    """Yield the embedded chunks of a source, in any order.

    Ray is started on this machine, unless it is running or `RAY_ADDRESS` names a cluster, whose
    machines must see the input and the model's file under the same paths. One task reads the input
    and takes no CPU, so that neither it nor the actors can wait for the other's. Each actor has an
    embedder, on up to four CPUs of one machine.

    Raises:
        ImportError: Ray is not installed.
        OSError: An actor, or Ray itself, failed.
    """
    ray = require("ray", "Embedding with Ray", "ray")
    data = require("ray.data", "Embedding with Ray", "ray")
    starts = not ray.is_initialized()
    if starts:
        # The dashboard of a cluster is its own matter.
        local = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        ray.init(log_to_driver=False, logging_level=logging.WARNING, **local)
    try:
        context = data.DataContext.get_current()
        context.target_max_block_size = _BLOCK
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        cpus, actors = actor_sizes(nodes)
        factory, (path,) = embedder.__reduce__()
        chunks = data.read_datasource(
            _datasource(data, source, selection),
            override_num_blocks=1,
            num_cpus=0,
        )
        embedded = chunks.map_batches(
            RayEmbedder,
            fn_constructor_args=(factory, path, embedder.digest, cpus),
            batch_size=_CHUNKS,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(size=actors),
            num_cpus=cpus,
        )
        for batch in embedded.iter_batches(batch_size=None, batch_format="numpy"):
            for content in batch[_CONTENT]:
                yield pickle.loads(content)
    except ray.exceptions.RayError as error:
        reason = getattr(error, "cause", None) or error
        lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
        raise OSError(f"Ray has stopped: {lines[-1]}") from error
    finally:
        if starts:
            ray.shutdown()


def actor_sizes(cpus: Sequence[float]) -> tuple[int, int]:
    """Return the CPUs of an actor and the number of actors that fit.

    Args:
        cpus: CPUs of each machine.

    Example:
        >>> actor_sizes([2]), actor_sizes([16, 6]), actor_sizes([0, 0.5])
        ((2, 1), (4, 5), (0, 1))
    """
    usable = [int(each) for each in cpus if each >= 1]
    if not usable:
        return 0, 1
    size = min(_CPUS, *usable)
    return size, sum(each // size for each in usable)


class RayEmbedder:
    """An actor of Ray Data that embeds chunks.

    Args:
        factory: Makes an `Embedder` of a path.
        path: The model's file.
        digest: Of the file where the run was started.
        threads: Number of threads of the engine.

    Raises:
        ValueError: This machine has another file at the path.
    """

    def __init__(
        self, factory: Callable[..., Embedder], path: Path, digest: str, threads: int
    ) -> None:
        self._embedder = factory(path, threads=threads or 1)
        if self._embedder.digest != digest:
            raise ValueError(f"This machine has another model at this path. Received: {path}")

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Embed a batch of pickled chunks."""
        chunks = [pickle.loads(content) for content in batch[_CONTENT]]
        return {_CONTENT: [pickle.dumps(each) for each in embed_chunks(chunks, self._embedder)]}


def _datasource(data: Any, source: Source, selection: Selection) -> Any:
    """Return a datasource of Ray Data that reads the chunks of a source in one task."""
    block = require("ray.data.block", "Embedding with Ray", "ray")

    def read() -> Iterator[Any]:
        pa = arrow()
        for chunk in source.chunks(selection):
            # A slice would be pickled with all of the batch that it is of.
            columns = chunk.columns.take(pa.array(range(chunk.columns.num_rows)))
            content = pickle.dumps(replace(chunk, columns=columns))
            yield pa.table({_CONTENT: pa.array([content], pa.large_binary())})

    class Chunks(data.Datasource):
        """The chunks of a source."""

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:  # noqa: ARG002
            metadata = block.BlockMetadata(
                num_rows=None, size_bytes=None, input_files=None, exec_stats=None
            )
            return [data.ReadTask(read, metadata)]

        def estimate_inmemory_data_size(self) -> int | None:
            return None

    return Chunks()
