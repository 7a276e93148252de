"""Facts about a gallery."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from keras_osnet.gallery.columns import arrow
from keras_osnet.gallery.filters import Filter
from keras_osnet.gallery.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class GalleryInfo:
    """Facts about a gallery.

    Attributes:
        uri: Where it is.
        rows: Number of vectors.
        dim: Length of the vectors.
        model: Digest of the model that computed them.
        people: Number of different names; rows without one are not counted.
        cameras: Cameras.
        sites: Sites.
        first: Earliest time, None if there is none.
        last: Latest time.
        columns: Names of all columns.
        bytes: Size of all files; None where the store does not tell.
        indexed: Number of rows in the index for approximate search; None without one.
        version: Of the store, which counts writes; None where the store does not tell.
    """

    uri: str
    rows: int
    dim: int
    model: str
    people: int
    cameras: tuple[str, ...]
    sites: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    columns: tuple[str, ...]
    bytes: int | None
    indexed: int | None
    version: int | None


def describe(store: Store, schema: "pa.Schema", model: str, uri: str) -> GalleryInfo:
    """Return the facts about a gallery, by reading some of its columns."""
    pa = arrow()
    rows = 0
    found: dict[str, set[Any]] = {name: set() for name in ("person", "camera", "site")}
    times: list[Any] = []
    for batch in store.batches([*found, "time"], Filter()):
        rows += len(batch)
        for name, values in found.items():
            values.update(pa.compute.unique(batch[name]).to_pylist())
        times += pa.compute.min_max(batch["time"]).as_py().values()
    times = sorted(each for each in times if each is not None)
    return GalleryInfo(
        uri=uri,
        rows=rows,
        dim=schema.field("vector").type.list_size,
        model=model,
        people=len(found["person"] - {None}),
        cameras=tuple(sorted(found["camera"] - {None}, key=natural)),
        sites=tuple(sorted(found["site"] - {None}, key=natural)),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        columns=tuple(schema.names),
        indexed=store.indexed(),
        **store.facts(),
    )


def natural(text: str) -> tuple[int, str]:
    """Return a key that sorts numbers by value, before other texts."""
    return (int(text), "") if text.isdecimal() and len(text) < 10 else (10**10, text)
