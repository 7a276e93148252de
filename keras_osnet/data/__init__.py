"""Images of people and datasets of them: reading, splitting, transforms and batches.

Importing this package needs only numpy; reading images needs Pillow.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.data.batches import ImageBatches
    from keras_osnet.data.datasets.combine import combineall, merge_datasets
    from keras_osnet.data.datasets.cuhk import extract_cuhk03
    from keras_osnet.data.datasets.image_folder import identity_folders, read_people
    from keras_osnet.data.datasets.market1501 import parse_market1501_name, read_folder
    from keras_osnet.data.datasets.published import (
        DatasetCountError,
        DatasetInfo,
        DatasetVersion,
        check_counts,
        dataset_info,
        list_datasets,
    )
    from keras_osnet.data.datasets.registry import read_dataset, read_splits
    from keras_osnet.data.datasets.splits import split_by_camera, split_by_identity, split_queries
    from keras_osnet.data.datasets.table import attributes_from_table, people_from_table
    from keras_osnet.data.images import (
        ImageReadError,
        LoadedImages,
        list_images,
        load_images,
        read_image,
    )
    from keras_osnet.data.random_erasing import RandomErasing, RandomPatch
    from keras_osnet.data.records import (
        AttributeDataset,
        AttributeImages,
        ClassificationDataset,
        EmbeddedImages,
        LabeledImages,
        PersonImage,
        ReidDataset,
        camera_labels,
        identity_labels,
        ranking_labels,
    )
    from keras_osnet.data.sampling import identity_batches, shuffled_indices
    from keras_osnet.data.statistics import PixelStatistics, pixel_statistics
    from keras_osnet.data.transforms import (
        CenterCrop,
        ColorJitter,
        Normalize,
        PadAndCrop,
        RandomCrop,
        RandomFlip,
        RandomWindow,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "AttributeDataset": "keras_osnet.data.records",
        "AttributeImages": "keras_osnet.data.records",
        "CenterCrop": "keras_osnet.data.transforms",
        "ClassificationDataset": "keras_osnet.data.records",
        "ColorJitter": "keras_osnet.data.transforms",
        "DatasetCountError": "keras_osnet.data.datasets.published",
        "DatasetInfo": "keras_osnet.data.datasets.published",
        "DatasetVersion": "keras_osnet.data.datasets.published",
        "EmbeddedImages": "keras_osnet.data.records",
        "ImageBatches": "keras_osnet.data.batches",
        "ImageReadError": "keras_osnet.data.images",
        "LabeledImages": "keras_osnet.data.records",
        "LoadedImages": "keras_osnet.data.images",
        "Normalize": "keras_osnet.data.transforms",
        "PadAndCrop": "keras_osnet.data.transforms",
        "PersonImage": "keras_osnet.data.records",
        "PixelStatistics": "keras_osnet.data.statistics",
        "RandomCrop": "keras_osnet.data.transforms",
        "RandomErasing": "keras_osnet.data.random_erasing",
        "RandomFlip": "keras_osnet.data.transforms",
        "RandomPatch": "keras_osnet.data.random_erasing",
        "RandomWindow": "keras_osnet.data.transforms",
        "ReidDataset": "keras_osnet.data.records",
        "attributes_from_table": "keras_osnet.data.datasets.table",
        "camera_labels": "keras_osnet.data.records",
        "check_counts": "keras_osnet.data.datasets.published",
        "combineall": "keras_osnet.data.datasets.combine",
        "dataset_info": "keras_osnet.data.datasets.published",
        "extract_cuhk03": "keras_osnet.data.datasets.cuhk",
        "identity_batches": "keras_osnet.data.sampling",
        "identity_folders": "keras_osnet.data.datasets.image_folder",
        "identity_labels": "keras_osnet.data.records",
        "list_datasets": "keras_osnet.data.datasets.published",
        "list_images": "keras_osnet.data.images",
        "load_images": "keras_osnet.data.images",
        "merge_datasets": "keras_osnet.data.datasets.combine",
        "parse_market1501_name": "keras_osnet.data.datasets.market1501",
        "people_from_table": "keras_osnet.data.datasets.table",
        "pixel_statistics": "keras_osnet.data.statistics",
        "ranking_labels": "keras_osnet.data.records",
        "read_dataset": "keras_osnet.data.datasets.registry",
        "read_folder": "keras_osnet.data.datasets.market1501",
        "read_image": "keras_osnet.data.images",
        "read_people": "keras_osnet.data.datasets.image_folder",
        "read_splits": "keras_osnet.data.datasets.registry",
        "shuffled_indices": "keras_osnet.data.sampling",
        "split_by_camera": "keras_osnet.data.datasets.splits",
        "split_by_identity": "keras_osnet.data.datasets.splits",
        "split_queries": "keras_osnet.data.datasets.splits",
    },
)
