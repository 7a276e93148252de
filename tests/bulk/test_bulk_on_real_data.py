"""640 real images in bulk: the vectors and figures of `keras-osnet embed` and `evaluate`."""

import tarfile

import numpy as np
import pytest
from click.testing import CliRunner

from keras_osnet.bulk import VectorDataset, embed_to_parquet
from keras_osnet.cli.application import application
from keras_osnet.data import read_people
from keras_osnet.metrics import evaluate_ranking, pairwise_distances
from keras_osnet.runtime import Embedder

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def people(reference, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pku")
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder / "pku_reid"


@pytest.fixture(scope="module")
def run():
    def run(*arguments):
        result = CliRunner().invoke(application, [str(each) for each in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture(scope="module")
def embedder(run, reference, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "osnet.tflite"
    weights = reference / "weights" / "osnet_x0_25_msmt17.pth"
    run("export", "--weights", weights, "-o", file)
    return Embedder(file)


@pytest.fixture(scope="module")
def listing(people, tmp_path_factory):
    """Write a list of the images with their people and cameras."""
    images = read_people(people).all_images
    lines = [f"{image.path},{image.identity},{image.camera}" for image in images]
    file = tmp_path_factory.mktemp("list") / "people.csv"
    file.write_text("\n".join(["path,person,camera", *lines]))
    return file


def figures(folder):
    """Return rank-1 and mAP of a data set with the columns person and camera."""
    dataset = VectorDataset(folder)
    vectors = dataset.vectors()
    columns = [
        np.concatenate([batch.column(0).to_numpy(False) for batch in dataset.batches([name])])
        for name in ("person", "camera")
    ]
    person, camera = columns
    query, gallery = camera == 1, camera == 2
    assert (query.sum(), gallery.sum()) == (320, 320)
    result = evaluate_ranking(
        pairwise_distances(vectors[query], vectors[gallery], metric="cosine"),
        person[query], person[gallery], camera[query], camera[gallery],
    )  # fmt: skip
    return round(100 * result.rank(1), 2), round(100 * result.mean_average_precision, 2)


def test_the_vectors_and_figures_of_one_run_and_of_shards(
    run, listing, people, embedder, reference, tmp_path
):
    weights = ("--weights", reference / "weights" / "osnet_x0_25_msmt17.pth")
    run("embed", people, "-o", tmp_path / "before.npz", *weights)
    run("embed", people, "-o", tmp_path / "folder", *weights)
    with np.load(tmp_path / "before.npz") as file:
        expected = dict(zip(file["names"].tolist(), file["vectors"], strict=True))
    dataset = VectorDataset(tmp_path / "folder")
    # The file that `embed` exports from weights is always the same.
    again = run("embed", people, "-o", tmp_path / "folder", *weights, "--resume")
    assert ": 0 vectors of 512, 640 were there" in again
    paths = [path for batch in dataset.batches(["path"]) for path in batch.column(0).to_pylist()]
    assert paths == list(expected)
    # The same vectors, rounded to float16: by up to 2.44e-4 where a number is above 0.5.
    exact = np.stack(list(expected.values()))
    np.testing.assert_allclose(dataset.vectors(), exact.astype("float16"), atol=1e-5, rtol=1e-3)
    assert np.abs(dataset.vectors() - exact).max() < 2.45e-4

    embed_to_parquet(listing, tmp_path / "list", embedder)
    for shard in (1, 2, 3):
        embed_to_parquet(listing, tmp_path / "shards", embedder, shard=(shard, 3))
    assert len(list((tmp_path / "shards").glob("part-*"))) == 3
    for folder in ("list", "shards"):
        assert figures(tmp_path / folder) == (77.19, 61.67)
