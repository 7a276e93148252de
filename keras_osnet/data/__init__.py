"""Pictures of people: reading them, and drawing synthetic ones.

Importing this room needs numpy; reading and writing pictures needs Pillow.
"""

from typing import TYPE_CHECKING

from keras_osnet import lazy
from keras_osnet.data.augmentation import HOMES as _AUGMENTATION
from keras_osnet.data.datasets import HOMES as _DATASETS
from keras_osnet.data.pipeline import HOMES as _PIPELINE

if TYPE_CHECKING:
    from keras_osnet.data.augmentation import (
        CenterCrop,
        ColorJitter,
        Normalize,
        PadAndCrop,
        RandomCrop,
        RandomErasing,
        RandomFlip,
        RandomPatch,
        RandomWindow,
    )
    from keras_osnet.data.camera_split import split_by_camera
    from keras_osnet.data.datasets import (
        AttributeDataset,
        AttributeImages,
        ClassificationDataset,
        DatasetCountError,
        DatasetInfo,
        DatasetVersion,
        LabelledImages,
        ReidDataset,
        attributes_from_table,
        camera_array,
        check_counts,
        combineall,
        dataset_info,
        extract_cuhk03,
        identity_array,
        identity_folders,
        list_datasets,
        mix,
        people_from_table,
        ranking_labels,
        read_dataset,
        read_people,
        read_splits,
        split_by_identity,
        split_queries,
    )
    from keras_osnet.data.images import (
        LoadedImages,
        UnreadableImageError,
        list_images,
        load_images,
        read_image,
    )
    from keras_osnet.data.market1501 import PersonImage, parse_name, read_folder
    from keras_osnet.data.pipeline import TrainingPictures
    from keras_osnet.data.sampling import identity_batches, shuffled
    from keras_osnet.data.statistics import PixelStatistics, pixel_statistics
    from keras_osnet.data.synthetic import SyntheticPeople, synthetic_people, synthetic_person
    from keras_osnet.data.synthetic_folder import write_synthetic_people

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        **_AUGMENTATION,
        **_DATASETS,
        **_PIPELINE,
        "LoadedImages": "keras_osnet.data.images",
        "PersonImage": "keras_osnet.data.market1501",
        "PixelStatistics": "keras_osnet.data.statistics",
        "SyntheticPeople": "keras_osnet.data.synthetic",
        "UnreadableImageError": "keras_osnet.data.images",
        "identity_batches": "keras_osnet.data.sampling",
        "list_images": "keras_osnet.data.images",
        "load_images": "keras_osnet.data.images",
        "parse_name": "keras_osnet.data.market1501",
        "pixel_statistics": "keras_osnet.data.statistics",
        "read_folder": "keras_osnet.data.market1501",
        "read_image": "keras_osnet.data.images",
        "shuffled": "keras_osnet.data.sampling",
        "split_by_camera": "keras_osnet.data.camera_split",
        "synthetic_people": "keras_osnet.data.synthetic",
        "synthetic_person": "keras_osnet.data.synthetic",
        "write_synthetic_people": "keras_osnet.data.synthetic_folder",
    },
)
