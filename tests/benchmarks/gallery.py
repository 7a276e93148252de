"""Measure a gallery of made vectors beside plain NumPy on the same vectors.

    python tests/benchmarks/gallery.py --rows 20000 200000 1000000

Vectors are clustered: 20 crops of each person, those under one camera nearer to each other.
Writing, searching and NumPy run in a process each, so that memory is that of one. A table is
printed at the end, and the figures of each size when they are there. Needs the extra `gallery`, and
6 GB of memory and 4 GB of disk for a million rows.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

DIM, CAMERAS, PART = 512, 10, 20_000
LATENT = 48
"""Dimension in which people, cameras and crops differ: embeddings do not fill all of theirs."""

START = datetime(2026, 11, 27, tzinfo=UTC)
DAY = timedelta(days=1)
QUERIES, NEAREST = 50, 50


def embedded(latent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return vectors (n, DIM), float32, not negative as the network's are before its last layer."""
    projection = np.random.default_rng(0).normal(size=(LATENT, DIM)) / LATENT**0.5
    noise = 0.05 * np.abs(rng.normal(size=(len(latent), DIM)))
    return (np.maximum(latent @ projection, 0) + noise).astype(np.float32)


def latent_crops(person: np.ndarray, camera: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    people = {each: np.random.default_rng(each).normal(size=LATENT) for each in np.unique(person)}
    views = np.random.default_rng(10**9).normal(size=(CAMERAS, LATENT))
    centers = np.stack([people[each] for each in person])
    return centers + 0.6 * views[camera] + 0.6 * rng.normal(size=(len(person), LATENT))


def made_rows(rows: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Yield vectors (n, DIM), float32, and columns, some thousand at a time."""
    for start in range(0, rows, PART):
        count = min(PART, rows - start)
        rng = np.random.default_rng(start)
        camera = rng.integers(0, CAMERAS, count)
        person = np.arange(start, start + count) // 20
        columns = {
            "key": [f"crop-{each}" for each in range(start, start + count)],
            "camera": camera.tolist(),
            "time": [START + DAY * ((start + each) / rows) for each in range(count)],
            "source": [f"camera{c}/{start + i:08}.jpg" for i, c in enumerate(camera)],
        }
        yield embedded(latent_crops(person, camera, rng), rng), columns


def made_queries(rows: int, count: int) -> np.ndarray:
    """Return further crops of people of the gallery."""
    rng = np.random.default_rng(1)
    person, camera = rng.integers(0, rows // 20, count), rng.integers(0, CAMERAS, count)
    return embedded(latent_crops(person, camera, rng), rng)


def seconds(call: Callable[[int], Any], times: int = QUERIES) -> dict[str, float]:
    """Return the median and the 95th percentile in milliseconds, after two calls to warm up."""
    for index in range(2):
        call(index)
    measured = []
    for index in range(times):
        begun = time.perf_counter()
        call(index)
        measured.append(1000 * (time.perf_counter() - begun))
    return {
        "p50": round(np.percentile(measured, 50), 2),
        "p95": round(np.percentile(measured, 95), 2),
    }


def peak_mb() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (1e6 if sys.platform == "darwin" else 1e3), 1)


def write(place: str, rows: int) -> dict[str, Any]:
    """Fill a gallery, and index it."""
    from keras_osnet.gallery import Gallery

    spent = 0.0
    with Gallery.open(place) as gallery:
        for vectors, columns in made_rows(rows):
            begun = time.perf_counter()
            gallery.add(vectors, columns, model="made")
            spent += time.perf_counter() - begun
        size = gallery.info().bytes
        begun = time.perf_counter()
        gallery.compact()
        compacted = time.perf_counter() - begun
        begun = time.perf_counter()
        gallery.build_index()
        return {
            "rows_per_second": round(rows / spent),
            "disk_mb": round((size or 0) / 1e6, 1),
            "compact_s": round(compacted, 2),
            "index_s": round(time.perf_counter() - begun, 2),
            "disk_with_index_mb": round((gallery.info().bytes or 0) / 1e6, 1),
            "peak_mb": peak_mb(),
        }


def search(place: str, rows: int) -> dict[str, Any]:
    """Search a gallery in a process that has not written it."""
    from keras_osnet.gallery import Gallery

    queries = made_queries(rows, 100)
    begun = time.perf_counter()
    gallery = Gallery.open(place)
    gallery.count()
    opened = time.perf_counter() - begun
    hour = {"after": START + DAY / 2, "before": START + DAY / 2 + timedelta(hours=1)}
    filters = {
        "exact": {},
        "exact_not_camera": {"not_camera": 3},
        "exact_one_hour_not_camera": {"not_camera": 3, **hour},
    }
    begun = time.perf_counter()
    gallery.search(queries[0], NEAREST)
    first = time.perf_counter() - begun
    measured: dict[str, Any] = {
        "open_ms": round(1000 * opened, 1),
        "first_ms": round(1000 * first, 1),
        "peak_mb_first": peak_mb(),
    }
    for name, given in filters.items():
        measured[name] = seconds(
            lambda i, given=given: gallery.search(queries[i], NEAREST, **given)
        )
    measured["exact_batch_of_100"] = seconds(lambda _: gallery.search(queries, NEAREST), 5)
    measured["peak_mb_exact"] = peak_mb()
    for name in ("exact", "exact_not_camera"):
        given, other = filters[name], name.replace("exact", "approximate")
        measured[other] = seconds(
            lambda i, given=given: gallery.search(queries[i], NEAREST, exact=False, **given)
        )
        found = [
            [
                {row["key"] for row in rows}
                for rows in gallery.search(queries, NEAREST, **given, **way)
            ]
            for way in ({}, {"exact": False})
        ]
        shares = [len(a & b) / len(a) for a, b in zip(*found, strict=True)]
        measured[f"{other}_recall_at_50"] = round(float(np.mean(shares)), 4)
    return measured


def numpy_alone(place: str, rows: int) -> dict[str, Any]:
    """Search the same vectors as one float32 matrix in memory."""
    del place
    matrix, cameras = np.empty((rows, DIM), np.float32), np.empty(rows, np.int8)
    start = 0
    for vectors, columns in made_rows(rows):
        part = slice(start, start + len(vectors))
        matrix[part] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cameras[part] = columns["camera"]
        start += len(vectors)
    queries = made_queries(rows, 100)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)

    def nearest(some: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
        similarity = some @ matrix.T
        if chosen is not None:
            similarity = np.where(chosen, similarity, -np.inf)
        best = np.argpartition(-similarity, NEAREST)[:, :NEAREST]
        order = np.argsort(-np.take_along_axis(similarity, best, 1))
        return np.take_along_axis(best, order, 1)

    return {
        "exact": seconds(lambda i: nearest(queries[i : i + 1])),
        "exact_not_camera": seconds(lambda i: nearest(queries[i : i + 1], cameras != 3)),
        "exact_batch_of_100": seconds(lambda _: nearest(queries), 5),
        "peak_mb": peak_mb(),
    }


def _times(step: str, name: str) -> Callable[[dict[str, Any]], str]:
    return lambda result: " / ".join(f"{each:,.1f}" for each in result[step][name].values())


def _number(step: str, name: str, digits: int = 0) -> Callable[[dict[str, Any]], str]:
    return lambda result: f"{result[step][name]:,.{digits}f}"


TABLE: dict[str, Callable[[dict[str, Any]], str]] = {
    "rows added per second": _number("write", "rows_per_second"),
    "disk, MB": _number("write", "disk_mb"),
    "disk with index, MB": _number("write", "disk_with_index_mb"),
    "building the index, s": _number("write", "index_s", 1),
    "opening, ms": _number("search", "open_ms", 1),
    "first search, from files, ms": _number("search", "first_ms", 1),
    "exact, p50 / p95 ms": _times("search", "exact"),
    "exact, not one camera, ms": _times("search", "exact_not_camera"),
    "exact, one hour, not one camera, ms": _times("search", "exact_one_hour_not_camera"),
    "exact, batch of 100, ms": _times("search", "exact_batch_of_100"),
    "NumPy, ms": _times("numpy_alone", "exact"),
    "NumPy, not one camera, ms": _times("numpy_alone", "exact_not_camera"),
    "NumPy, batch of 100, ms": _times("numpy_alone", "exact_batch_of_100"),
    "approximate, ms": _times("search", "approximate"),
    "recall at 50": _number("search", "approximate_recall_at_50", 3),
    "approximate, not one camera, ms": _times("search", "approximate_not_camera"),
    "recall at 50, not one camera": _number("search", "approximate_not_camera_recall_at_50", 3),
    "memory after the first search, MB": _number("search", "peak_mb_first"),
    "memory of exact searches, MB": _number("search", "peak_mb_exact"),
    "memory of NumPy, MB": _number("numpy_alone", "peak_mb"),
    "memory of adding and indexing, MB": _number("write", "peak_mb"),
}


def print_table(results: list[dict[str, Any]]) -> None:
    lines = [["rows", *(f"{result['rows']:,}" for result in results)]]
    lines += [[name, *(cell(result) for result in results)] for name, cell in TABLE.items()]
    lines.insert(1, ["---", *("---:" for _ in results)])
    for line in lines:
        print(f"| {' | '.join(line)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="for the galleries; a temporary one by default")
    given = parser.parse_args()
    processes, results = multiprocessing.get_context("spawn"), []
    for rows in given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            result: dict[str, Any] = {"rows": rows}
            for step in (write, search, numpy_alone):
                begun = time.perf_counter()
                with processes.Pool(1) as pool:
                    result[step.__name__] = pool.apply(step, (f"{folder}/made.lance", rows))
                result[step.__name__]["step_s"] = round(time.perf_counter() - begun, 1)
        print(json.dumps(result), flush=True)
        results.append(result)
    print_table(results)


if __name__ == "__main__":
    main()
