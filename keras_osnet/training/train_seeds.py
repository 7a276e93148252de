"""Train with several seeds or on several splits, and average the test metrics."""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from keras_osnet.data.records import Dataset
from keras_osnet.training.distributed import distributed
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.run_folder import RunFolder
from keras_osnet.training.trainer import train
from keras_osnet.training.training_result import TrainingResult


@dataclass(frozen=True, eq=False)
class TrainingResults:
    """The results of several trainings by one recipe.

    Attributes:
        runs: The result of each: split by split, and for each split all seeds. The networks are not
            in memory: `load_classifiers` and `load_embedders` read them from their folders.
        mean: Mean of every test metric; empty if the datasets have no test images.
        std: Standard deviation of every test metric (divided by runs - 1); 0 for one run.
    """

    runs: list[TrainingResult]
    mean: dict[str, float]
    std: dict[str, float]


def train_seeds(
    recipe: Recipe | str | os.PathLike[str],
    make_model: Callable[[int], keras.Model | Sequence[keras.Model]],
    datasets: Dataset | Sequence[Dataset],
    folder: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    distribution: str | None = None,
    **arguments: Any,
) -> TrainingResults:
    """Train with several seeds (supplement, Table 12), or on several splits (VIPeR, GRID), or both.

    Args:
        recipe: As for `train`.
        make_model: Returns a new model, or models, for a seed. Keras's random seed is set to it
            before the call.
        datasets: One dataset, or its splits as `read_splits` returns them.
        folder: Output folder, with a folder for each training: `seed-0`, or `split-0-seed-0`.
            Finished trainings are not repeated, so that the same call resumes after an
            interruption.
        seeds: The seeds, one training each.
        distribution: As for `train`.
        **arguments: As for `train`.

    Returns:
        The results, and mean and standard deviation of their test metrics.

    Raises:
        ValueError: There are no seeds or datasets; or as `train`.
    """
    splits = list(datasets) if isinstance(datasets, Sequence) else [datasets]
    if not splits or not seeds:
        raise ValueError(
            "`datasets` and `seeds` must be at least one each. "
            f"Received: {len(splits)} datasets, {len(seeds)} seeds"
        )

    def run(name: str, dataset: Dataset, seed: int) -> TrainingResult:
        keras.utils.set_random_seed(seed)
        result = train(
            recipe, make_model(seed), dataset, RunFolder(folder, name), seed=seed, **arguments
        )
        # Without the networks, whose memory the next training needs.
        return replace(result, embedders=(), classifiers=())

    # Entered here, so that models are built inside.
    with distributed(distribution):
        runs = [run(*planned) for planned in planned_runs(splits, seeds)]
    tests = [run.test for run in runs if run.test is not None]
    if len({frozenset((name, type(value)) for name, value in one.items()) for one in tests}) > 1:
        raise RunFolder(folder).damaged("the trainings have different test metrics")
    return TrainingResults(runs, *mean_and_std(tests))


def mean_and_std(
    results: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation over all results of every metric that is a float."""
    tested = results[0] if results else {}
    names = [name for name, value in tested.items() if isinstance(value, float)]
    values = {name: [result[name] for result in results] for name in names}
    return (
        {name: statistics.fmean(each) for name, each in values.items()},
        {name: statistics.stdev(each) if len(each) > 1 else 0.0 for name, each in values.items()},
    )


def planned_runs(splits: Sequence[Dataset], seeds: Sequence[int]) -> list[tuple[str, Dataset, int]]:
    """Return folder name, dataset and seed of each training, in order."""
    return [
        (f"seed-{seed}" if len(splits) == 1 else f"split-{number}-seed-{seed}", dataset, seed)
        for number, dataset in enumerate(splits)
        for seed in seeds
    ]
