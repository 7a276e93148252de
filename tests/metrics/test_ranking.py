import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from keras_osnet.data.datasets.market1501 import parse_market1501_name
from keras_osnet.metrics import evaluate_ranking
from keras_osnet.metrics.distances import pairwise_distances
from keras_osnet.metrics.ranked_lists import checked_labels


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "ranking.npz") as file:
        return dict(file)


def random_case(seed, num_query=25, num_gallery=90, identities=12, levels=None):
    """Distances with labels; `levels` makes them few-valued, so that there are many ties."""
    rng = np.random.default_rng(seed)
    distances = rng.random((num_query, num_gallery))
    if levels is not None:
        distances = np.floor(distances * levels)
    return (
        distances,
        rng.integers(0, identities, num_query),
        # Two identities of the gallery are no query's, two of the queries' have no match.
        rng.integers(2, identities + 2, num_gallery),
        rng.integers(0, 3, num_query),
        rng.integers(0, 3, num_gallery),
    )


def by_plain_loops(distances, query_ids, gallery_ids, query_cameras, gallery_cameras, max_rank):
    """The protocol word for word: one query, one gallery image at a time."""
    curves, precisions, penalties = [], [], []
    for i in range(len(query_ids)):
        order = sorted(range(len(gallery_ids)), key=lambda j: (distances[i][j], j))
        hits = []
        for j in order:
            same_identity = gallery_ids[j] == query_ids[i]
            same_camera = query_cameras is not None and gallery_cameras[j] == query_cameras[i]
            if not (same_identity and same_camera):
                hits.append(bool(same_identity))
        if not any(hits):
            continue
        found, precision, last = 0, 0.0, 0
        for position, hit in enumerate(hits, start=1):
            if hit:
                found += 1
                precision += found / position
                last = position
        precisions.append(precision / found)
        penalties.append(found / last)
        curves.append([any(hits[:k]) for k in range(1, min(max_rank, len(gallery_ids)) + 1)])
    count = len(curves)
    return np.sum(curves, axis=0) / count, sum(precisions) / count, sum(penalties) / count, count


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("prefix", ["", "rerank_"])
def test_equals_reference_implementation(golden, metric, prefix):
    distances = golden[f"rerank_{metric}"] if prefix else golden[f"distance_{metric}"]
    result = evaluate_ranking(
        distances,
        golden["query_ids"],
        golden["gallery_ids"],
        golden["query_cameras"],
        golden["gallery_cameras"],
    )
    np.testing.assert_allclose(result.cmc, golden[f"{prefix}cmc_{metric}"], atol=1e-6)
    expected = float(golden[f"{prefix}map_{metric}"])
    assert result.mean_average_precision == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("levels", [None, 40, 3, 1])
@pytest.mark.parametrize("with_cameras", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_equals_plain_loops(levels, with_cameras, dtype):
    for seed in range(4):
        distances, *labels = random_case(seed, levels=levels)
        distances = (distances * 100).astype(dtype)
        if not with_cameras:
            labels[2:] = [None, None]
        for max_rank in (1, 20, 500):
            result = evaluate_ranking(distances, *labels, max_rank=max_rank)
            cmc, mean_ap, mean_inp, count = by_plain_loops(distances, *labels, max_rank)
            np.testing.assert_allclose(result.cmc, cmc, rtol=1e-12)
            assert result.mean_average_precision == pytest.approx(mean_ap, rel=1e-12)
            assert result.mean_inverse_negative_penalty == pytest.approx(mean_inp, rel=1e-12)
            assert result.valid_queries == count


@pytest.mark.parametrize("model", ["osnet_x0_25_msmt17", "osnet_x1_0_msmt17_rounded"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equals_reference_on_real_embeddings(reference, model, metric):
    with np.load(reference / "reference" / f"pku_reid_40_{model}.npz") as file:
        labels = np.array([parse_market1501_name(str(name)) for name in file["names"]])
        features = file["features"]
        rank_1, mean_ap = float(file[f"rank1_{metric}"]), float(file[f"map_{metric}"])
    query = labels[:, 1] == 1
    distances = pairwise_distances(features[query], features[~query], metric)
    result = evaluate_ranking(distances, *(labels[q, i] for i in (0, 1) for q in (query, ~query)))
    assert result.rank(1) == pytest.approx(rank_1, abs=1e-6)
    assert result.mean_average_precision == pytest.approx(mean_ap, abs=1e-6)


def test_average_precision_equals_scikit_learn_without_ties():
    distances, query_ids, gallery_ids, _, _ = random_case(5, identities=6)
    for row, identity in zip(distances, query_ids, strict=True):
        matches = gallery_ids == identity
        if matches.any():
            result = evaluate_ranking(row[None], [identity], gallery_ids)
            expected = average_precision_score(matches, -row)
            assert result.mean_average_precision == pytest.approx(expected, rel=1e-12)


def test_hand_computed_example():
    # Ranks of the matches: 2 and 5. AP = (1/2 + 2/5) / 2, INP = 2/5.
    result = evaluate_ranking([[1, 2, 3, 4, 5]], [7], [0, 7, 1, 2, 7])
    assert result.cmc.tolist() == [0, 1, 1, 1, 1]
    assert result.mean_average_precision == pytest.approx(0.45)
    assert result.mean_inverse_negative_penalty == pytest.approx(0.4)
    assert (result.rank(1), result.rank(2)) == (0.0, 1.0)


def test_ties_go_by_gallery_index():
    assert evaluate_ranking([[1, 1, 1]], [5], [4, 5, 4]).cmc.tolist() == [0, 1, 1]
    assert evaluate_ranking([[1, 1, 1]], [5], [5, 4, 4]).cmc.tolist() == [1, 1, 1]


def test_infinite_distances_rank_last():
    result = evaluate_ranking([[np.inf, 0.0, 1.0]], [1], [1, 2, 1])
    assert result.mean_average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("with_cameras", [True, False])
def test_infinite_distances_equal_plain_loops(levels, with_cameras):
    distances, *labels = random_case(6, levels=levels)
    # Of some queries all matches are infinitely far, of some only a few; one row has nothing else.
    distances[np.random.default_rng(6).random(distances.shape) < 0.5] = np.inf
    distances[labels[0][:, None] == labels[1]] = np.inf
    distances[::2, ::3] = 0.5
    distances[3] = np.inf
    if not with_cameras:
        labels[2:] = [None, None]
    result = evaluate_ranking(distances, *labels)
    cmc, mean_ap, mean_inp, count = by_plain_loops(distances, *labels, 50)
    np.testing.assert_allclose(result.cmc, cmc, rtol=1e-12)
    assert result.mean_average_precision == pytest.approx(mean_ap, rel=1e-12)
    assert result.mean_inverse_negative_penalty == pytest.approx(mean_inp, rel=1e-12)
    assert result.valid_queries == count


def test_what_is_left_out_does_not_count_among_equal_distances():
    # Images 0 and 2 are Ann's under the query's own camera; 1 and 4 are hers, 3 and 5 are not.
    result = evaluate_ranking(
        [[1, 1, 0, 1, 1, 1]], [7], [7, 7, 7, 8, 7, 9], [1], [1, 2, 1, 1, 2, 2]
    )
    assert result.mean_average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_order_of_gallery_and_queries_does_not_matter_without_ties():
    distances, query_ids, gallery_ids, query_cameras, gallery_cameras = random_case(1)
    rng = np.random.default_rng(2)
    q, g = rng.permutation(len(query_ids)), rng.permutation(len(gallery_ids))
    before = evaluate_ranking(distances, query_ids, gallery_ids, query_cameras, gallery_cameras)
    after = evaluate_ranking(
        distances[np.ix_(q, g)], query_ids[q], gallery_ids[g], query_cameras[q], gallery_cameras[g]
    )
    np.testing.assert_allclose(after.cmc, before.cmc)
    assert after.mean_average_precision == pytest.approx(before.mean_average_precision)
    assert after.mean_inverse_negative_penalty == pytest.approx(
        before.mean_inverse_negative_penalty
    )


def test_perfect_distances_give_one():
    _, query_ids, gallery_ids, query_cameras, gallery_cameras = random_case(3)
    distances = (query_ids[:, None] != gallery_ids).astype(np.float32)
    result = evaluate_ranking(distances, query_ids, gallery_ids, query_cameras, gallery_cameras)
    assert result.rank(1) == 1
    assert result.mean_average_precision == 1
    assert result.mean_inverse_negative_penalty == 1


@pytest.mark.parametrize("as_labels", [str, lambda n: f"p{n}".encode(), np.uint64, np.int8])
def test_any_kind_of_label_gives_the_same_result(as_labels):
    distances, *labels = random_case(4)
    expected = evaluate_ranking(distances, *labels)
    result = evaluate_ranking(distances, *([as_labels(v) for v in side] for side in labels))
    assert result.mean_average_precision == expected.mean_average_precision
    assert result.cmc.tolist() == expected.cmc.tolist()


def test_labels_may_be_objects_and_mixed_widths():
    query_ids = np.array(["a"], dtype=object)
    assert evaluate_ranking([[1, 2]], query_ids, ["b", "a"]).rank(2) == 1
    # As float64, these two would be the same number.
    large = 2**60
    result = evaluate_ranking(
        [[1, 2]], np.array([large], np.int64), np.array([large + 1, large], np.uint64)
    )
    assert result.cmc.tolist() == [0, 1]


def test_result_is_read_only_and_clipped():
    result = evaluate_ranking([[1, 2, 3]], [1], [1, 1, 2], max_rank=50)
    assert len(result.cmc) == 3
    with pytest.raises(ValueError, match="read-only"):
        result.cmc[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.valid_queries = 3
    for k in (0, 4):
        with pytest.raises(ValueError, match=rf"`k` must be between 1 and 3. Received: {k}"):
            result.rank(k)


TWO_BY_THREE = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"distances": np.ones(3)}, ValueError, r"`distances`.*Received: shape \(3,\)"),
        ({"distances": np.ones((0, 3))}, ValueError, r"`distances`.*Received: shape \(0, 3\)"),
        ({"query_ids": [1]}, ValueError, r"query_ids of shape \(1,\), distances of .*\(2, 3\)"),
        ({"gallery_ids": [[1, 2, 3]]}, ValueError, r"gallery_ids of shape \(1, 3\), distances"),
        ({"gallery_cameras": [1, 2]}, ValueError, r"gallery_cameras of shape \(2,\), distances"),
        ({"gallery_cameras": None}, ValueError, r"query_cameras but no gallery_cameras"),
        ({"query_cameras": None}, ValueError, r"gallery_cameras but no query_cameras"),
        ({"query_ids": [1.0, 2.0]}, TypeError, r"`query_ids` must hold integers.*float"),
        ({"gallery_ids": ["1", "2", "3"]}, TypeError, r"same kind. Received: dtypes int64 and"),
        (
            {"max_rank": 0},
            ValueError,
            r"`max_rank` must be .*at least 1. Received: 0",
        ),
    ],
)
def test_errors_name_the_argument(changes, error, message):
    arguments = {
        "distances": TWO_BY_THREE,
        "query_ids": [1, 2],
        "gallery_ids": [1, 2, 3],
        "query_cameras": [0, 0],
        "gallery_cameras": [1, 1, 1],
    }
    evaluate_ranking(**arguments)
    with pytest.raises(error, match=message):
        evaluate_ranking(**{**arguments, **changes})


def test_nan_is_located():
    distances = TWO_BY_THREE.copy()
    distances[1, 2] = np.nan
    with pytest.raises(ValueError, match="Received: NaN in row 1, column 2"):
        evaluate_ranking(distances, [1, 2], [1, 2, 3])


def test_the_first_nan_is_named_even_of_a_query_without_a_match():
    distances = np.zeros((100, 3))
    distances[[41, 97], 1] = np.nan
    ids = np.ones(100, int)
    ids[41] = 5
    with pytest.raises(ValueError, match="Received: NaN in row 41, column 1"):
        evaluate_ranking(distances, ids, [1, 2, 3])


def test_no_valid_query():
    with pytest.raises(
        ValueError,
        match=r"No query identity appears in the gallery under another camera. Received: "
        r"2 queries of 2 identities, 3 gallery images of 3 identities, 2 identities in both",
    ):
        evaluate_ranking(TWO_BY_THREE, [1, 2], [1, 2, 3], [0, 0], [0, 0, 0])
    with pytest.raises(ValueError, match=r"in the gallery. Received:.*0 identities in both"):
        evaluate_ranking(TWO_BY_THREE, [8, 9], [1, 2, 3])


@pytest.mark.parametrize("with_cameras", [True, False])
def test_what_is_found_is_that_of_plain_loops(with_cameras):
    rng = np.random.default_rng(0)
    query_ids, gallery_ids = rng.integers(-3, 9, 30), rng.integers(-1, 12, 70)
    cameras = (rng.integers(0, 3, 30), rng.integers(0, 4, 70)) if with_cameras else (None, None)
    labels = checked_labels(query_ids, gallery_ids, *cameras, (30, 70), "distances")
    for query in range(30):
        same = [image for image in range(70) if gallery_ids[image] == query_ids[query]]
        own = [image for image in same if with_cameras and cameras[1][image] == cameras[0][query]]
        matches, left_out = labels.found_by(query)
        assert left_out.tolist() == own
        assert matches.tolist() == [image for image in same if image not in own]
