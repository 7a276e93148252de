"""The figures of torchreid, from its checkpoints and real images."""

import tarfile

import numpy as np
import pytest

pytestmark = pytest.mark.large

X0_25 = "osnet_x0_25_msmt17.pth"
X1_0 = "osnet_x1_0_msmt17_rounded.pth.tar"


@pytest.fixture(scope="module")
def pku_reid(reference, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pku")
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder / "pku_reid"


@pytest.mark.parametrize(
    ("weights", "metric", "rank_1", "mean_ap"),
    [(X0_25, "cosine", 77.2, 61.7), (X0_25, "euclidean", 74.7, 52.9), (X1_0, "cosine", 80.9, 65.8)],
)
def test_evaluate(run_json, reference, pku_reid, weights, metric, rank_1, mean_ap):
    report = run_json(
        "evaluate", "--data", pku_reid, "--weights", reference / "weights" / weights,
        "--metric", metric,
    )  # fmt: skip
    assert (round(report["rank_1"], 1), round(report["mAP"], 1)) == (rank_1, mean_ap)
    assert (report["queries"], report["valid_queries"], report["gallery"]) == (320, 320, 320)
    assert report["unreadable"]["count"] == 0


def test_embed(run, reference, pku_reid, tmp_path):
    output = tmp_path / "vectors.npz"
    weights = reference / "weights" / X0_25
    run("embed", pku_reid, "-o", output, "--weights", weights, "--engine", "keras", "--raw")
    with np.load(reference / "reference" / "pku_reid_40_osnet_x0_25_msmt17.npz") as file:
        expected, expected_names = file["features"], file["names"].tolist()
    with np.load(output) as file:
        actual, names = file["vectors"], file["names"].tolist()
    assert ["/".join(name.split("/")[-2:]) for name in names] == expected_names
    lengths = np.linalg.norm(actual, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((actual * expected).sum(axis=1) / lengths).min() > 0.99999
    np.testing.assert_allclose(actual, expected, atol=2e-4)
