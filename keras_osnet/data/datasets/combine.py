"""More to train on: all parts of a dataset, several datasets."""

from collections.abc import Sequence
from dataclasses import replace

from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.records import PersonImage


def combineall(dataset: ReidDataset) -> ReidDataset:
    """Train on all parts: training, validation, query and gallery, without distractors.

    For weights that other datasets, or other cameras, are to profit from. Query and gallery stay
    where they were, but what is measured on them afterwards says nothing.

    Args:
        dataset: The dataset.

    Returns:
        The same dataset with all people in `train`, each picture once, and no `validation`.
    """
    everybody = (image for image in dataset.all_images if not image.distractor)
    return replace(dataset, train=tuple(everybody), validation=())


def merge_datasets(datasets: Sequence[ReidDataset]) -> ReidDataset:
    """Train on several datasets at once, as the paper does before VIPeR and GRID.

    People get new identities, 0 to n-1, and cameras new numbers from 1, those of each dataset
    following those of the one before. Nobody in one dataset is taken for somebody in another, so
    two datasets of the same people (CUHK01 and CUHK02) do not go together.

    Args:
        datasets: The datasets, each used for its `train` and `validation`. For all of a dataset,
            `combineall` it first.

    Returns:
        A dataset without query and gallery: what is measured is measured on one of its sources,
        or on another.

    Raises:
        ValueError: If there are no datasets.
    """
    if not datasets:
        raise ValueError("`datasets` must be at least one. Received: none")
    train: list[PersonImage] = []
    validation: list[PersonImage] = []
    next_identity, next_camera = 0, 1
    for dataset in datasets:
        images = dataset.train + dataset.validation
        people = sorted({image.identity for image in images})
        cameras = sorted({image.camera for image in images if image.camera is not None})
        identity = {old: next_identity + place for place, old in enumerate(people)}
        camera = {old: next_camera + place for place, old in enumerate(cameras)}
        for part, source in ((train, dataset.train), (validation, dataset.validation)):
            part += [
                replace(
                    image,
                    identity=identity[image.identity],
                    camera=None if image.camera is None else camera[image.camera],
                )
                for image in source
            ]
        next_identity += len(people)
        next_camera += len(cameras)
    return ReidDataset(
        name="+".join(dataset.name for dataset in datasets),
        train=tuple(train),
        validation=tuple(validation),
    )
