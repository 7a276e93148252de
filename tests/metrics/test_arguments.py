"""Values that NumPy would convert silently, or refuse in its own words, are refused by name."""

import numpy as np
import pytest

from keras_osnet.metrics import (
    average_results,
    concatenate_features,
    evaluate_attributes,
    evaluate_features,
    evaluate_ranking,
    evaluate_single_gallery_shot,
    flip_average,
    k_reciprocal_rerank,
    normalize,
    pairwise_distances,
    ranked_lists,
    rerank_features,
)

GOOD = np.random.default_rng(0).random((4, 4))
IDS = [1, 2, 3, 4]

NO_MATRICES = {
    "ragged": [[1.0, 2.0], [3.0]],
    "masked": np.ma.masked_array(GOOD, GOOD > 0.5),
    "objects": GOOD.astype(object),
    "missing": [[None] * 4] * 4,
    "texts": np.full((4, 4), "0.5"),
    "complex": GOOD.astype(complex),
    "dates": np.zeros((4, 4), "M8[s]"),
    "durations": np.zeros((4, 4), "m8[s]"),
    "records": np.zeros((4, 4), [("a", "f4")]),
    "huge integers": [[10**30] * 4] * 4,
    "NaN": np.full((4, 4), np.nan),
    "vector": GOOD[0],
    "number": 1.0,
    "none": None,
    "no rows": GOOD[:0],
    "no columns": GOOD[:, :0],
}

FUNCTIONS = {
    "pairwise_distances": ("query", lambda x: pairwise_distances(x, GOOD)),
    "pairwise_distances of": ("gallery", lambda x: pairwise_distances(GOOD, x)),
    "normalize": ("features", normalize),
    "flip_average": ("flipped", lambda x: flip_average(GOOD, x)),
    "concatenate_features": (r"features\[1\]", lambda x: concatenate_features([GOOD, x])),
    "rerank_features": ("query", lambda x: rerank_features(x, GOOD)),
    "evaluate_features": ("query", lambda x: evaluate_features(x, GOOD, IDS, IDS)),
    "evaluate_ranking": ("distances", lambda x: evaluate_ranking(x, IDS, IDS)),
    "single_gallery_shot": ("distances", lambda x: evaluate_single_gallery_shot(x, IDS, IDS)),
    "ranked_lists": ("distances", lambda x: ranked_lists(x, IDS, IDS)),
    "k_reciprocal_rerank": ("query_query", lambda x: k_reciprocal_rerank(GOOD, x, GOOD)),
    "evaluate_attributes": ("probabilities", lambda x: evaluate_attributes(x, GOOD > 0.5)),
    "evaluate_attributes of": ("labels", lambda x: evaluate_attributes(GOOD, x)),
}


@pytest.mark.parametrize("kind", NO_MATRICES)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.filterwarnings("error")
def test_matrices(function, kind):
    name, call = FUNCTIONS[function]
    with pytest.raises(ValueError, match=rf"^`{name}` must.*Received: "):
        call(NO_MATRICES[kind])


NO_LABELS = {
    "numbers and texts": [1, "2", 3, "4"],
    "missing": [1, 2, 3, None],
    "missing, of pandas": np.array(["a", "b", "c", np.nan], object),
    "floats": [1.0, 2.0, 3.0, 4.0],
    "booleans": [True, False, True, False],
    "ragged": [[1], [2, 3], [4], [5]],
    "masked": np.ma.masked_array(IDS, [0, 0, 0, 1]),
    "beyond 64 bits": [1, 2, 3, 2**70],
    "text": "abcd",
    "set": {1, 2, 3, 4},
    "none": None,
    "short": [1, 2, 3],
    "dates": np.zeros(4, "M8[s]"),
}


@pytest.mark.parametrize("kind", NO_LABELS)
@pytest.mark.parametrize("name", ["query_ids", "gallery_ids", "query_cameras", "gallery_cameras"])
def test_labels(name, kind):
    labels = {"query_ids": IDS, "gallery_ids": IDS, "query_cameras": IDS, "gallery_cameras": IDS}
    for function in (evaluate_ranking, ranked_lists):
        with pytest.raises((ValueError, TypeError), match=rf"`{name}`.*Received: "):
            function(GOOD, **{**labels, name: NO_LABELS[kind]})


def test_labels_of_objects_are_those_of_arrays():
    expected = evaluate_ranking(GOOD, IDS, IDS[::-1])
    for convert in (list, tuple, lambda x: np.array(x, object), lambda x: [np.int64(i) for i in x]):
        found = evaluate_ranking(GOOD, convert(IDS), convert(IDS[::-1]))
        np.testing.assert_array_equal(found.cmc, expected.cmc)
    texts = np.array(list("abcd"), object)
    assert evaluate_ranking(GOOD, texts, texts[::-1]).cmc.tolist() == expected.cmc.tolist()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("metric", lambda x: pairwise_distances(GOOD, GOOD, x)),
        ("protocol", lambda x: evaluate_features(GOOD, GOOD, IDS, IDS, protocol=x)),
        ("rerank", lambda x: evaluate_features(GOOD, GOOD, IDS, IDS, rerank=x)),
        ("max_rank", lambda x: evaluate_ranking(GOOD, IDS, IDS, max_rank=x)),
        ("repeats", lambda x: evaluate_single_gallery_shot(GOOD, IDS, IDS, repeats=x)),
        ("seed", lambda x: evaluate_single_gallery_shot(GOOD, IDS, IDS, seed=x)),
        ("k1", lambda x: rerank_features(GOOD, GOOD, k1=x)),
        ("lambda_value", lambda x: rerank_features(GOOD, GOOD, lambda_value=x)),
        ("threshold", lambda x: evaluate_attributes(GOOD, GOOD > 0.5, x)),
        ("top_k", lambda x: ranked_lists(GOOD, IDS, IDS, top_k=x)),
        ("k", lambda x: evaluate_ranking(GOOD, IDS, IDS).rank(x)),
        ("ranks", lambda x: evaluate_ranking(GOOD, IDS, IDS).to_dict(x)),
        ("results", average_results),
        ("results", lambda x: average_results([x])),
    ],
)
def test_options(name, call):
    for value in (float("nan"), -1, 2.5, "x", object(), np.array([0.2, 0.3]), {0.5: 1}):
        with pytest.raises(ValueError, match=rf"^`{name}` must.*Received: "):
            call(value)


def test_embeddings_beyond_float32():
    assert flip_average([[3e38]], [[3e38]]).tolist() == [[np.float32(3e38)]]
    with pytest.raises(ValueError, match=r"`features` and `flipped` must fit float32.*1e\+300"):
        flip_average([[1e300]], [[1e300]])


def test_numbers_that_would_take_all_memory():
    with pytest.raises(ValueError, match=r"`repeats` must be at most 1,000,000. Received: 10+"):
        evaluate_single_gallery_shot(GOOD, IDS, IDS, repeats=10**9)


class OnADevice:
    """A tensor that cannot become an array, such as torch's with a gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_tensors_that_are_no_arrays(function):
    name, call = FUNCTIONS[function]
    with pytest.raises(ValueError, match=rf"^`{name}` must be an array.*OnADevice.*requires grad"):
        call(OnADevice())
