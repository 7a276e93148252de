"""More training data: all parts of a dataset, several datasets."""

from collections.abc import Sequence
from dataclasses import replace

from keras_osnet.data.records import PersonImage, ReidDataset


def combineall(dataset: ReidDataset) -> ReidDataset:
    """Train on all parts: training, validation, query and gallery, without distractors.

    For weights that are used on other datasets or other cameras. Query and gallery are not
    changed, but results on them are meaningless afterwards.

    Args:
        dataset: The dataset.

    Returns:
        The same dataset with all people in `train`, each image once, and no `validation`.
    """
    everybody = (image for image in dataset.all_images if not image.distractor)
    return replace(dataset, train=tuple(everybody), validation=())


def merge_datasets(datasets: Sequence[ReidDataset]) -> ReidDataset:
    """Train on several datasets at once, as the paper does before VIPeR and GRID.

    People get new identities, 0 to n - 1, and cameras new numbers from 1, dataset by dataset. The
    people of different datasets are taken for different people, so do not merge two datasets of the
    same people (CUHK01 and CUHK02).

    Args:
        datasets: The datasets, of which `train` and `validation` are used. To use all of a
            dataset, call `combineall` first.

    Returns:
        A dataset without query and gallery: evaluate on one of its sources, or on another one.

    Raises:
        ValueError: There are no datasets.
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
