import numpy as np
import pytest

from keras_osnet.metrics import evaluate_ranking, evaluate_single_gallery_shot


def random_case(seed, num_query=15, num_gallery=60, identities=9, levels=None):
    """Distances with labels; `levels` makes them few-valued, so that there are many ties."""
    rng = np.random.default_rng(seed)
    distances = rng.random((num_query, num_gallery))
    if levels is not None:
        distances = np.floor(distances * levels)
    return (
        distances,
        rng.integers(0, identities, num_query),
        rng.integers(1, identities + 1, num_gallery),  # one query's identity is not there
        rng.integers(0, 2, num_query),
        rng.integers(0, 2, num_gallery),
    )


def kept_by_identity(row, query_ids, gallery_ids, query_cameras, gallery_cameras):
    """For each identity of the gallery its images, without the query's own camera's."""
    images = {}
    for j, identity in enumerate(gallery_ids):
        own = identity == query_ids[row]
        if not (own and query_cameras is not None and gallery_cameras[j] == query_cameras[row]):
            images.setdefault(identity, []).append(j)
    return images


def by_plain_loops(distances, *labels, max_rank, repeats, seed):
    """The protocol word for word, with the same random numbers."""
    query_ids, gallery_ids = labels[:2]
    identities = sorted(set(gallery_ids))
    curves = []
    for row, line in enumerate(distances):
        images = kept_by_identity(row, *labels)
        if query_ids[row] not in images:
            continue
        curve = [0] * len(identities)
        for numbers in np.random.default_rng([seed, row]).random((repeats, len(identities))):
            drawn = []
            for number, identity in zip(numbers, identities, strict=True):
                own = images[identity]
                drawn.append(own[int(number * len(own))])
            drawn.sort(key=lambda j, line=line: (line[j], j))
            found = [gallery_ids[j] == query_ids[row] for j in drawn]
            for k in range(len(identities)):
                curve[k] += any(found[: k + 1])
        curves.append(np.array(curve) / repeats)
    return np.mean(curves, axis=0)[:max_rank]


@pytest.mark.parametrize("levels", [None, 5, 1])
@pytest.mark.parametrize("with_cameras", [True, False])
def test_equals_plain_loops(levels, with_cameras):
    for seed in range(3):
        distances, *labels = random_case(seed, levels=levels)
        if not with_cameras:
            labels[2:] = [None, None]
        for options in (
            {"max_rank": 50, "repeats": 7, "seed": 0},
            {"max_rank": 3, "repeats": 1, "seed": 12},
        ):
            result = evaluate_single_gallery_shot(distances, *labels, **options)
            expected = by_plain_loops(distances, *labels, **options)
            np.testing.assert_allclose(result.cmc, expected, rtol=1e-12)


def test_approaches_the_expectation():
    distances, *labels = random_case(5)
    repeats = 4000
    curves = []
    for row, line in enumerate(distances):
        images = kept_by_identity(row, *labels)
        own = images.pop(labels[0][row], [])
        if not own:
            continue
        by_match = []
        for match in own:
            # How many identities come before the match: a sum of independent yes and no.
            before = np.array([1.0])
            for others in images.values():
                nearer = np.mean(line[others] < line[match])
                before = np.convolve(before, [1 - nearer, nearer])
            by_match.append(np.cumsum(before))
        curves.append(np.mean(by_match, axis=0))
    result = evaluate_single_gallery_shot(distances, *labels, repeats=repeats)
    assert result.valid_queries == len(curves)
    error = 0.5 / np.sqrt(repeats * len(curves))  # at most, of a mean of yes and no
    np.testing.assert_allclose(result.cmc, np.mean(curves, axis=0), atol=4 * error)


def test_one_image_a_person_leaves_nothing_to_chance():
    rng = np.random.default_rng(0)
    distances, query_ids = rng.random((30, 20)), rng.integers(0, 20, 30)
    gallery_ids = rng.permutation(20)
    result = evaluate_single_gallery_shot(distances, query_ids, gallery_ids)
    expected = evaluate_ranking(distances, query_ids, gallery_ids)
    np.testing.assert_allclose(result.cmc, expected.cmc, rtol=1e-12)


def test_average_precision_is_that_of_the_whole_gallery():
    case = random_case(2)
    result, whole = evaluate_single_gallery_shot(*case), evaluate_ranking(*case)
    assert result.mean_average_precision == whole.mean_average_precision
    assert result.mean_inverse_negative_penalty == whole.mean_inverse_negative_penalty
    assert result.valid_queries == whole.valid_queries
    assert len(result.cmc) == len(np.unique(case[2]))
    assert result.cmc[-1] == pytest.approx(1)
    with pytest.raises(ValueError, match="read-only"):
        result.cmc[0] = 0


def test_is_a_function_of_the_seed():
    case = random_case(3)
    first, again, other = (evaluate_single_gallery_shot(*case, seed=seed) for seed in (1, 1, 2))
    assert first.cmc.tolist() == again.cmc.tolist()
    assert first.cmc.tolist() != other.cmc.tolist()


def test_errors():
    case = random_case(0)
    with pytest.raises(ValueError, match=r"`repeats` must be .*at least 1. Received: 0"):
        evaluate_single_gallery_shot(*case, repeats=0)
    with pytest.raises(ValueError, match=r"`seed` must be .*at least 0. Received: -1"):
        evaluate_single_gallery_shot(*case, seed=-1)
    with pytest.raises(ValueError, match=r"`max_rank` must be .*at least 1. Received: 0"):
        evaluate_single_gallery_shot(*case, max_rank=0)
    with pytest.raises(ValueError, match=r"No query identity appears in the gallery. Received"):
        evaluate_single_gallery_shot([[1.0]], [1], [2])
