"""640 real images: bulk embedding, the gallery, and torchreid's figures."""

import csv
import tarfile
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("lance", reason="the extra `gallery` is not installed")

pytestmark = pytest.mark.large

SIDE = 320


@pytest.fixture(scope="module")
def listing(reference, tmp_path_factory):
    """Write a list of the images with person and camera, which their names tell."""
    folder = tmp_path_factory.mktemp("pku")
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(folder, filter="data")
    file = folder / "people.csv"
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "person", "camera"])
        for path in sorted((folder / "pku_reid").glob("*.png")):
            person, camera = path.name.split("_")[:2]
            rows.writerow([path, person, camera[1]])
    return file


@pytest.fixture(scope="module")
def vectors(reference, listing, tmp_path_factory):
    from keras_osnet import load_model
    from keras_osnet.bulk import embed_to_parquet
    from keras_osnet.deploy import litert_embedder

    model = load_model(reference / "weights" / "osnet_x0_25_msmt17.pth", head="embedding")
    folder = tmp_path_factory.mktemp("vectors")
    assert embed_to_parquet(listing, folder, litert_embedder(model)).vectors == 2 * SIDE
    return folder


@pytest.fixture
def filled(gallery, vectors):
    assert gallery.add_dataset(vectors) == 2 * SIDE
    return gallery


def test_ranking(filled):
    """All of the gallery is ranked, in float16."""
    from keras_osnet.metrics import evaluate_ranking

    rows = filled.read(["key", "vector", "person", "camera"]).sort_by("key").to_pylist()
    queries = [row for row in rows if row["camera"] == "1"]
    others = [row for row in rows if row["camera"] == "2"]
    assert len(queries) == len(others) == SIDE
    result = filled.search([row["vector"] for row in queries], SIDE, not_camera=1)
    column = {row["key"]: index for index, row in enumerate(others)}
    distances = np.full((SIDE, SIDE), np.nan)
    for query, found in enumerate(result):
        for row in found:
            distances[query, column[row["key"]]] = 1 - row["similarity"]
    sides = (
        [row[name] for row in side] for name in ("person", "camera") for side in (queries, others)
    )
    ranking = evaluate_ranking(distances, *sides)
    assert round(100 * ranking.rank(1), 2) == 77.19
    assert round(100 * ranking.mean_average_precision, 2) == 61.67


def test_gallery_evaluate(filled):
    """The command computes the same from the store."""
    import json

    from click.testing import CliRunner

    from keras_osnet.cli.application import application

    result = CliRunner().invoke(application, ["gallery", "evaluate", filled.uri, "--json"])
    report = json.loads(result.stdout)
    assert (round(report["rank_1"], 2), round(report["mAP"], 2)) == (77.19, 61.67)


def test_clusters_of_unknown_people(filled, vectors, tmp_path):
    """Most crops are in a group, nearly all with others of the same person."""
    from keras_osnet.gallery import Gallery

    with Gallery.open(tmp_path / "unknown.lance") as unknown:
        unknown.add_dataset(filled_without_names(filled, tmp_path))
        groups = unknown.cluster()
    person = {row["source"]: row["person"] for row in filled.read(["source", "person"]).to_pylist()}
    people = [[person[row["source"]] for row in group] for group in groups]
    clustered = sum(map(len, people))
    pure = sum(Counter(group).most_common(1)[0][1] for group in people)
    assert clustered / len(person) > 0.8
    assert pure / clustered > 0.9
    print(f"{len(groups)} groups of {clustered} crops, purity {pure / clustered:.3f}")


def filled_without_names(filled, folder):
    import pyarrow.parquet as parquet

    filled.export(folder / "named.parquet")
    table = parquet.read_table(folder / "named.parquet").drop_columns(["person"])
    parquet.write_table(table, folder / "unnamed.parquet")
    return folder / "unnamed.parquet"


def test_reranking_the_nearest(filled):
    """Re-ranking the 100 nearest of each image improves the precision of the first 10."""
    rows = filled.read(["vector", "person", "camera"]).to_pylist()
    queries = [row for row in rows if row["camera"] == "1"][::4]
    precision = []
    for rerank in (None, 100):
        result = filled.search([row["vector"] for row in queries], 10, not_camera=1, rerank=rerank)
        right = [
            row["person"] == query["person"]
            for query, found in zip(queries, result, strict=True)
            for row in found
        ]
        precision.append(np.mean(right))
    print(precision)
    assert precision[1] > precision[0]
