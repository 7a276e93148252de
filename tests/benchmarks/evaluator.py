"""Time and memory of `evaluate_features` at scale, beside torchreid's distances and Cython code.

    python tests/benchmarks/evaluator.py msmt17 --torchreid deep-person-reid --extension build
    python tests/benchmarks/evaluator.py million

`msmt17` has a gallery as large as MSMT17's. Of torchreid, it runs `distance.py` and the compiled
`rank_cy` (built in the folder of `rank_cy.pyx` by `python setup.py build_ext --inplace`). Both
evaluate the same queries, a part of MSMT17's as torchreid's memory grows with them, and take turns,
round after round; a ratio is taken within a round. Time and added memory of torchreid for
all queries are scaled from that, as both are linear in the queries. Ours is measured with all of
them, too. Ours keeps all processors busy and torchreid mostly one, so that other load makes the
ratio smaller: the fastest runs of both are compared as well. `million` is
1,000 queries and a gallery of a million.

Features are random, float32, 512 numbers per image. Those of a person are alike, more or less so
from image to image: rank-1 and mAP come out near those of OSNet on MSMT17. Every measurement runs
in a separate process; `added MB` is the growth of its peak memory during the evaluation, and
`peak MB` includes features, interpreter and libraries.
"""

import argparse
import importlib.util
import os
import statistics
import sys
from pathlib import Path

import numpy as np
from retrieval import alone, measured, show

from keras_osnet.metrics import evaluate_features

QUERIES, GALLERY, IDENTITIES = 11659, 82161, 3060
"""Of MSMT17's test set."""

COLUMNS = ("measured", "queries", "gallery", "seconds", "CPU s", "added MB", "peak MB", "note")


def people(num_query, num_gallery):
    """Return features and labels of both sides, with about MSMT17's images per person."""
    rng = np.random.default_rng(0)
    count = num_query + num_gallery
    num_identities = IDENTITIES * num_gallery // GALLERY
    identities = rng.integers(0, num_identities, count)
    centers = rng.standard_normal((num_identities, 512), np.float32)
    features = rng.standard_normal((count, 512), np.float32)
    for row, identity in zip(features, identities, strict=True):
        row += np.float32(rng.uniform(0.2, 0.8)) * centers[identity]
    cameras = rng.integers(0, 15, count)
    return [part for a in (features, identities, cameras) for part in np.split(a, [num_query])]


def measured_from_here(call):
    """Return seconds, processor seconds, growth and value of peak memory; rank-1 and mAP."""
    before = measured(lambda: None)[1][2]
    accuracy, (seconds, cpu_seconds, peak) = measured(call)
    return (seconds, cpu_seconds, peak - before, peak), accuracy


def ours(num_query, num_gallery):
    arrays = people(num_query, num_gallery)

    def evaluate():
        result = evaluate_features(*arrays, "cosine")
        return result.rank(1), result.mean_average_precision

    return measured_from_here(evaluate)


def torchreid(num_query, num_gallery, source, extension):
    import torch

    sys.path.insert(0, str(extension))
    import rank_cy

    # The file alone: torchreid's package imports far more than distances need.
    path = source / "torchreid" / "metrics" / "distance.py"
    spec = importlib.util.spec_from_file_location("torchreid_distance", path)
    distance = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(distance)
    query, gallery, *labels = people(num_query, num_gallery)
    query, gallery = torch.from_numpy(query), torch.from_numpy(gallery)

    def evaluate():
        matrix = distance.compute_distance_matrix(query, gallery, "cosine").numpy()
        cmc, mean_ap = rank_cy.evaluate_cy(matrix, *labels, 50)
        return float(cmc[0]), float(mean_ap)

    return measured_from_here(evaluate)


def row(title, num_query, num_gallery, figures, note):
    return title, f"{num_query:,}", f"{num_gallery:,}", *(f"{n:,.1f}" for n in figures), note


def accuracy_of(accuracy):
    return "rank-1 {:.4f}, mAP {:.4f}".format(*accuracy)


def beside_the_reference(source, extension, num_query, rounds):
    """Return the rows of a table, and the times of both in each round."""
    of_ours, of_theirs = [], []
    for _ in range(rounds):
        of_ours.append(alone(ours, num_query, GALLERY))
        of_theirs.append(alone(torchreid, num_query, GALLERY, source, extension))
    rows, taken = [], []
    for title, runs in (("ours", of_ours), ("torchreid", of_theirs)):
        columns = list(zip(*(figures for figures, _ in runs), strict=True))
        medians = [statistics.median(column) for column in columns]
        rows.append(row(title, num_query, GALLERY, medians, accuracy_of(runs[0][1])))
        taken.append(columns[:2])
    seconds, cpu_seconds, added, peak = medians
    times = QUERIES / num_query
    scaled = seconds * times, cpu_seconds * times, added * times, peak + added * (times - 1)
    rows.append(row("torchreid", QUERIES, GALLERY, scaled, f"scaled from {num_query:,} queries"))
    return rows, taken


def show_ratios(mine, theirs):
    """Print the ratios of torchreid's time to ours, by the clock and of all processors."""
    for unit, of_mine, of_theirs in zip(("seconds", "CPU s"), mine, theirs, strict=True):
        ratios = [b / a for a, b in zip(of_mine, of_theirs, strict=True)]
        print(
            f"torchreid / ours in {unit}: median {statistics.median(ratios):.1f}, "
            f"{min(ratios):.1f} to {max(ratios):.1f} in {len(ratios)} rounds; fastest runs "
            f"{min(of_theirs):.1f} / {min(of_mine):.1f} = {min(of_theirs) / min(of_mine):.1f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["msmt17", "million"])
    parser.add_argument("--torchreid", type=Path, help="source tree, for `msmt17`")
    parser.add_argument("--extension", type=Path, help="folder of the compiled rank_cy")
    parser.add_argument("--queries", type=int, default=2000, help="of `msmt17`, for both")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    if arguments.what == "million":
        figures, accuracy = alone(ours, 1000, 1_000_000)
        show(COLUMNS, [row("ours", 1000, 1_000_000, figures, accuracy_of(accuracy))])
        return
    if arguments.torchreid is None or arguments.extension is None:
        parser.error("`msmt17` needs --torchreid and --extension")

    rows, taken = beside_the_reference(
        arguments.torchreid, arguments.extension, arguments.queries, arguments.rounds
    )
    figures, accuracy = alone(ours, QUERIES, GALLERY)
    rows.append(row("ours", QUERIES, GALLERY, figures, accuracy_of(accuracy)))
    show(COLUMNS, rows)
    show_ratios(*taken)


if __name__ == "__main__":
    main()
