"""Time and memory of the retrieval metrics at the sizes of published data sets.

    python tests/benchmarks/retrieval.py msmt17 market1501
    python tests/benchmarks/retrieval.py reference --rerank torchreid/utils/rerank.py

`msmt17` evaluates features as numerous as MSMT17's, `market1501` re-ranks as many as
Market-1501's, from features and from distance matrices, `msmt17-rerank` re-ranks and evaluates
features as numerous as MSMT17's, and `reference` runs torchreid's `re_ranking` beside ours on the
same, smaller input. Features are random, float32, 512 numbers per image, in one cluster per person.
Every line is measured in a separate process: the seconds are those of the call, by the clock
and of all processors; the peak memory is the process's, features, interpreter and NumPy included.
"""

import argparse
import functools
import importlib.util
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from keras_osnet.metrics import (
    evaluate_features,
    k_reciprocal_rerank,
    pairwise_distances,
    rerank_features,
)

COLUMNS = ("measured", "queries", "gallery", "seconds", "CPU s", "peak MB", "load before", "note")


def clustered(num_query, num_gallery, num_identities):
    """Return features and labels: queries first, as many cameras as MSMT17 has."""
    rng = np.random.default_rng(0)
    count = num_query + num_gallery
    identities = rng.integers(0, num_identities, count)
    features = rng.standard_normal((count, 512), np.float32)
    centers = rng.standard_normal((num_identities, 512), np.float32)
    for row, identity in zip(features, identities, strict=True):
        row += 0.5 * centers[identity]
    cameras = rng.integers(0, 15, count)
    return [part for a in (features, identities, cameras) for part in np.split(a, [num_query])]


def measured(call):
    """Return the result; seconds, processor seconds and this process's peak memory in MB."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = call()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    import resource  # there is none on Windows, where this file is still collected by pytest

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return result, (seconds, cpu_seconds, peak * unit / 1e6)


def streaming(num_query, num_gallery, rerank):
    query, gallery, *labels = clustered(num_query, num_gallery, 3060)
    result, figures = measured(
        lambda: evaluate_features(query, gallery, *labels, "cosine", rerank=rerank)
    )
    note = f"rank-1 {result.rank(1):.4f}, mAP {result.mean_average_precision:.4f}"
    return figures, note


def from_features(num_query, num_gallery):
    query, gallery, *_ = clustered(num_query, num_gallery, 751)
    return measured(lambda: rerank_features(query, gallery, "cosine"))[1], ""


def matrices(num_query, num_gallery):
    query, gallery, *_ = clustered(num_query, num_gallery, max(2, num_gallery // 21))
    pairs = (query, gallery), (query, query), (gallery, gallery)
    return [pairwise_distances(*pair, "cosine") for pair in pairs]


def from_matrices(num_query, num_gallery):
    given = matrices(num_query, num_gallery)
    figures = measured(lambda: k_reciprocal_rerank(*given))[1]
    return figures, f"of which {sum(m.nbytes for m in given) / 1e6:.0f} MB are the matrices"


def reference(num_query, num_gallery, path):
    spec = importlib.util.spec_from_file_location("reference_rerank", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = matrices(num_query, num_gallery)
    theirs, figures = measured(lambda: module.re_ranking(*given))
    ours, our_figures = measured(lambda: k_reciprocal_rerank(*given))
    ratio = figures[1] / our_figures[1]
    difference = np.abs(ours - theirs).max()
    return figures, f"{ratio:.1f} × our CPU s; largest difference {difference:.1e}"


def lines(what, path):
    """Return the measurements: title, function, queries, gallery."""
    if what == "msmt17":
        return [("evaluate_features", functools.partial(streaming, rerank=False), 11659, 82161)]
    if what == "msmt17-rerank":
        title = "evaluate_features(rerank=True)"
        return [(title, functools.partial(streaming, rerank=True), 11659, 82161)]
    sizes = [(3368, 15913), (3368, 19732)]
    titles = [("rerank_features", from_features), ("k_reciprocal_rerank", from_matrices)]
    if what == "reference":
        sizes = [(400, 2000), (1000, 5000)]
        torchreid = functools.partial(reference, path=path)
        titles = [("torchreid re_ranking", torchreid), ("k_reciprocal_rerank", from_matrices)]
    return [(*title, *size) for size in sizes for title in titles]


def alone(function, *arguments):
    """Call the function in a separate process."""
    # A forked process would start with the memory of this one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def show(columns, rows):
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        for row in [columns, *rows]:
            print(" | ".join(row))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "what", nargs="+", choices=["msmt17", "market1501", "msmt17-rerank", "reference"]
    )
    parser.add_argument("--rerank", type=Path, help="torchreid/utils/rerank.py, for `reference`")
    arguments = parser.parse_args()
    if "reference" in arguments.what and arguments.rerank is None:
        parser.error("`reference` needs --rerank")

    rows = []
    for what in arguments.what:
        for title, function, num_query, num_gallery in lines(what, arguments.rerank):
            load = os.getloadavg()[0]
            figures, note = alone(function, num_query, num_gallery)
            numbers = f"{num_query:,}", f"{num_gallery:,}", *(f"{n:,.1f}" for n in figures)
            rows.append((title, *numbers, f"{load:.1f}", note))
    show(COLUMNS, rows)


if __name__ == "__main__":
    main()
