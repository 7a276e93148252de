"""640 real images: bulk embedding, the gallery, and torchreid's figures."""

from collections import Counter

import numpy as np
import pytest
from pku_gallery import SIDE, ranking_of, write_vectors

pytest.importorskip("lance", reason="the extra `gallery` is not installed")

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def vectors(reference, tmp_path_factory):
    return write_vectors(reference, tmp_path_factory.mktemp("pku"))


@pytest.fixture
def filled(gallery, vectors):
    assert gallery.add_dataset(vectors) == 2 * SIDE
    return gallery


def test_ranking(filled):
    """All of the gallery is ranked, in float16."""
    assert ranking_of(filled) == (77.19, 61.67)


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
