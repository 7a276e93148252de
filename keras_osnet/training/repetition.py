"""The same training several times, and what is left of its figures on average."""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_osnet.data.datasets.records import Dataset
from keras_osnet.training.distribution import distributed
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.run_record import RunRecord
from keras_osnet.training.trainer import train


@dataclass(frozen=True, eq=False)
class TrainingResults:
    """Several trainings by one recipe.

    Attributes:
        runs: Each of them, the splits one after the other, each with all seeds. Their networks are
            not in memory: `load_classifiers` and `load_embedders` read them from their folders.
        mean: Mean of every figure of the test; empty if the datasets have none.
        std: Standard deviation of every figure over the runs (divided by runs - 1); 0 for one run.
    """

    runs: list[RunRecord]
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
        make_model: Makes a new model, or models, for a seed. Keras's random seed is set to it
            before.
        datasets: One dataset, or its splits as `read_splits` gives them.
        folder: Gets a folder for each training: `seed-0`, or `split-0-seed-0`. Where one is
            finished it is not repeated, so that the same call goes on after an interruption.
        seeds: One training each.
        distribution: As for `train`.
        **arguments: As for `train`.

    Returns:
        The trainings, and mean and spread of their figures.

    Raises:
        ValueError: There are no seeds or datasets; or as `train`.
    """
    splits = list(datasets) if isinstance(datasets, Sequence) else [datasets]
    if not splits or not seeds:
        raise ValueError(
            "`datasets` and `seeds` must be at least one each. "
            f"Received: {len(splits)} datasets, {len(seeds)} seeds"
        )

    def run(name: str, dataset: Dataset, seed: int) -> RunRecord:
        keras.utils.set_random_seed(seed)
        trained = train(
            recipe, make_model(seed), dataset, Path(folder) / name, seed=seed, **arguments
        )
        return trained.without_networks()

    # Entered here, so that models are built inside.
    with distributed(distribution):
        runs = [run(*planned) for planned in planned_runs(splits, seeds)]
    results = [run.result for run in runs if run.result is not None]
    return TrainingResults(runs, *mean_and_std(results))


def mean_and_std(
    results: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation of every figure that is a float, over all results."""
    tested = results[0] if results else {}
    figures = [name for name, value in tested.items() if isinstance(value, float)]
    values = {name: [result[name] for result in results] for name in figures}
    return (
        {name: statistics.fmean(each) for name, each in values.items()},
        {name: statistics.stdev(each) if len(each) > 1 else 0.0 for name, each in values.items()},
    )


def planned_runs(splits: Sequence[Dataset], seeds: Sequence[int]) -> list[tuple[str, Dataset, int]]:
    """Return the folder's name, the dataset and the seed of each training, in their order."""
    return [
        (f"seed-{seed}" if len(splits) == 1 else f"split-{number}-seed-{seed}", dataset, seed)
        for number, dataset in enumerate(splits)
        for seed in seeds
    ]
