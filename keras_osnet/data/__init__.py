"""Images of people and datasets of them: reading, splitting, transforms and batches.

Importing this package needs only numpy; reading images needs Pillow.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.data.augmentation.color_jitter import ColorJitter
    from keras_osnet.data.augmentation.crop import RandomCrop
    from keras_osnet.data.augmentation.erasing import RandomErasing
    from keras_osnet.data.augmentation.flip import RandomFlip
    from keras_osnet.data.augmentation.normalize import Normalize
    from keras_osnet.data.augmentation.pad_and_crop import PadAndCrop
    from keras_osnet.data.augmentation.patch import RandomPatch
    from keras_osnet.data.augmentation.window import CenterCrop, RandomWindow
    from keras_osnet.data.batches import ImageBatches
    from keras_osnet.data.camera_split import split_by_camera
    from keras_osnet.data.datasets.combine import combineall, merge_datasets
    from keras_osnet.data.datasets.cuhk03_archive import extract_cuhk03
    from keras_osnet.data.datasets.held_out import split_by_identity, split_queries
    from keras_osnet.data.datasets.image_folder import identity_folders, read_people
    from keras_osnet.data.datasets.published import (
        DatasetCountError,
        DatasetInfo,
        DatasetVersion,
        check_counts,
        dataset_info,
        list_datasets,
    )
    from keras_osnet.data.datasets.records import (
        AttributeDataset,
        AttributeImages,
        ClassificationDataset,
        LabeledImages,
        ReidDataset,
        camera_labels,
        identity_labels,
        ranking_labels,
    )
    from keras_osnet.data.datasets.registry import read_dataset, read_splits
    from keras_osnet.data.datasets.table import attributes_from_table, people_from_table
    from keras_osnet.data.embedded_images import EmbeddedImages
    from keras_osnet.data.images import (
        ImageReadError,
        LoadedImages,
        list_images,
        load_images,
        read_image,
    )
    from keras_osnet.data.records import PersonImage, parse_market1501_name, read_folder
    from keras_osnet.data.sampling import identity_batches, shuffled_indices
    from keras_osnet.data.statistics import PixelStatistics, pixel_statistics

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "AttributeDataset": "keras_osnet.data.datasets.records",
        "AttributeImages": "keras_osnet.data.datasets.records",
        "CenterCrop": "keras_osnet.data.augmentation.window",
        "ClassificationDataset": "keras_osnet.data.datasets.records",
        "ColorJitter": "keras_osnet.data.augmentation.color_jitter",
        "DatasetCountError": "keras_osnet.data.datasets.published",
        "DatasetInfo": "keras_osnet.data.datasets.published",
        "DatasetVersion": "keras_osnet.data.datasets.published",
        "EmbeddedImages": "keras_osnet.data.embedded_images",
        "ImageBatches": "keras_osnet.data.batches",
        "LabeledImages": "keras_osnet.data.datasets.records",
        "LoadedImages": "keras_osnet.data.images",
        "Normalize": "keras_osnet.data.augmentation.normalize",
        "PadAndCrop": "keras_osnet.data.augmentation.pad_and_crop",
        "PersonImage": "keras_osnet.data.records",
        "PixelStatistics": "keras_osnet.data.statistics",
        "RandomCrop": "keras_osnet.data.augmentation.crop",
        "RandomErasing": "keras_osnet.data.augmentation.erasing",
        "RandomFlip": "keras_osnet.data.augmentation.flip",
        "RandomPatch": "keras_osnet.data.augmentation.patch",
        "RandomWindow": "keras_osnet.data.augmentation.window",
        "ReidDataset": "keras_osnet.data.datasets.records",
        "ImageReadError": "keras_osnet.data.images",
        "attributes_from_table": "keras_osnet.data.datasets.table",
        "camera_labels": "keras_osnet.data.datasets.records",
        "check_counts": "keras_osnet.data.datasets.published",
        "combineall": "keras_osnet.data.datasets.combine",
        "dataset_info": "keras_osnet.data.datasets.published",
        "extract_cuhk03": "keras_osnet.data.datasets.cuhk03_archive",
        "identity_labels": "keras_osnet.data.datasets.records",
        "identity_batches": "keras_osnet.data.sampling",
        "identity_folders": "keras_osnet.data.datasets.image_folder",
        "list_datasets": "keras_osnet.data.datasets.published",
        "list_images": "keras_osnet.data.images",
        "load_images": "keras_osnet.data.images",
        "merge_datasets": "keras_osnet.data.datasets.combine",
        "parse_market1501_name": "keras_osnet.data.records",
        "people_from_table": "keras_osnet.data.datasets.table",
        "pixel_statistics": "keras_osnet.data.statistics",
        "ranking_labels": "keras_osnet.data.datasets.records",
        "read_dataset": "keras_osnet.data.datasets.registry",
        "read_folder": "keras_osnet.data.records",
        "read_image": "keras_osnet.data.images",
        "read_people": "keras_osnet.data.datasets.image_folder",
        "read_splits": "keras_osnet.data.datasets.registry",
        "shuffled_indices": "keras_osnet.data.sampling",
        "split_by_camera": "keras_osnet.data.camera_split",
        "split_by_identity": "keras_osnet.data.datasets.held_out",
        "split_queries": "keras_osnet.data.datasets.held_out",
    },
)
