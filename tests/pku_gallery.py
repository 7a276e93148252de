"""The 640 real images as a data set of vectors, and the ranking of a gallery with them."""

import csv
import tarfile

import numpy as np

SIDE = 320
"""Images of each of the two cameras."""


def write_vectors(reference, folder):
    """Embed the images with person and camera, which their names tell; return the data set."""
    from keras_osnet import load_model
    from keras_osnet.bulk import embed_to_parquet
    from keras_osnet.deploy import litert_embedder

    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(folder, filter="data")
    file = folder / "people.csv"
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "person", "camera"])
        for path in sorted((folder / "pku_reid").glob("*.png")):
            person, camera = path.name.split("_")[:2]
            rows.writerow([path, person, camera[1]])
    model = load_model(reference / "weights" / "osnet_x0_25_msmt17.pth", head="embedding")
    written = folder / "vectors"
    assert embed_to_parquet(file, written, litert_embedder(model)).vectors == 2 * SIDE
    return written


def ranking_of(gallery):
    """Search all images of the second camera for those of the first; return rank-1 and mAP in %."""
    from keras_osnet.metrics import evaluate_ranking

    rows = gallery.read(["key", "vector", "person", "camera"]).sort_by("key").to_pylist()
    queries = [row for row in rows if row["camera"] == "1"]
    others = [row for row in rows if row["camera"] == "2"]
    assert len(queries) == len(others) == SIDE
    result = gallery.search([row["vector"] for row in queries], SIDE, not_camera=1)
    column = {row["key"]: index for index, row in enumerate(others)}
    distances = np.full((SIDE, SIDE), np.nan)
    for query, found in enumerate(result):
        for row in found:
            distances[query, column[row["key"]]] = 1 - row["similarity"]
    sides = (
        [row[name] for row in side] for name in ("person", "camera") for side in (queries, others)
    )
    ranking = evaluate_ranking(distances, *sides)
    return round(100 * ranking.rank(1), 2), round(100 * ranking.mean_average_precision, 2)
