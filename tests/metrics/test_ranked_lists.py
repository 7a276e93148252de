import numpy as np
import pytest

from keras_osnet.metrics import evaluate_ranking, ranked_lists


def random_case(seed, num_query=12, num_gallery=60):
    """Few different distances, so that there are many ties."""
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 8, (num_query, num_gallery)) / 8,
        rng.integers(0, 6, num_query),
        rng.integers(1, 7, num_gallery),
        rng.integers(0, 3, num_query),
        rng.integers(0, 3, num_gallery),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("with_cameras", [True, False])
def test_they_are_those_of_plain_loops(seed, with_cameras):
    distances, query_ids, gallery_ids, *cameras = random_case(seed)
    labels = (query_ids, gallery_ids, *(cameras if with_cameras else ()))
    lists = ranked_lists(distances, *labels, top_k=None)
    assert [found.query for found in lists] == list(range(len(distances)))
    for query, found in enumerate(lists):
        order = [
            image
            for image in sorted(range(len(gallery_ids)), key=lambda j: (distances[query][j], j))
            if gallery_ids[image] != query_ids[query]
            or not with_cameras
            or cameras[1][image] != cameras[0][query]
        ]
        assert found.gallery.tolist() == order
        assert found.distances.tolist() == distances[query][order].tolist()
        assert found.matches.tolist() == (gallery_ids[order] == query_ids[query]).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_of_these_lists(seed):
    case = random_case(seed)
    lists = [found for found in ranked_lists(*case, top_k=None) if found.matches.any()]
    result = evaluate_ranking(*case)
    assert result.valid_queries == len(lists)
    assert result.rank(1) == pytest.approx(np.mean([found.matches[0] for found in lists]))
    precisions = [
        np.mean(np.arange(1, found.matches.sum() + 1) / (np.flatnonzero(found.matches) + 1))
        for found in lists
    ]
    assert result.mean_average_precision == pytest.approx(np.mean(precisions))


def test_some_queries_and_the_nearest_only():
    case = random_case(0)
    everything = ranked_lists(*case, top_k=None)
    for queries in ([7, 2], np.array([7, 2])):
        found = ranked_lists(*case, queries=queries, top_k=3)
        assert [one.query for one in found] == [7, 2]
        for one in found:
            assert one.gallery.tolist() == everything[one.query].gallery[:3].tolist()
    (one,) = ranked_lists(*case, queries=7)
    assert len(one.gallery) == 10
    (longer,) = ranked_lists(*case, queries=7, top_k=1000)
    assert longer.gallery.tolist() == everything[7].gallery.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queries": 12}, r"`queries` must be between 0 and 11\. Received: 12"),
        ({"queries": [0, -1]}, r"`queries` must be between 0 and 11\. Received: \[0, -1\]"),
        ({"queries": 1.0}, r"`queries` must be integers\. Received: 1\.0"),
        ({"queries": []}, r"`queries` must be integers\. Received: \[\]"),
        ({"top_k": 0}, r"`top_k` must be .* at least 1\. Received: 0"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ranked_lists(*random_case(0), **options)


def test_distances_that_are_no_numbers():
    distances, *labels = random_case(0)
    distances[3, 5] = np.nan
    with pytest.raises(ValueError, match=r"NaN in row 3, column 5"):
        ranked_lists(distances, *labels)
    assert len(ranked_lists(distances, *labels, queries=[0, 1])) == 2
