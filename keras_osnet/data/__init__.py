"""Images of people and datasets of them: reading, splitting, transforms and batches.

Importing this package needs only numpy; reading images needs Pillow.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.data.batches import ImageBatches
    from keras_osnet.data.datasets.cuhk import extract_cuhk03
    from keras_osnet.data.datasets.image_folder import read_people
    from keras_osnet.data.datasets.published import dataset_info, list_datasets
    from keras_osnet.data.datasets.registry import read_dataset, read_splits
    from keras_osnet.data.datasets.splits import (
        combineall,
        merge_datasets,
        split_by_camera,
        split_by_identity,
    )
    from keras_osnet.data.datasets.table import attributes_from_table, people_from_table
    from keras_osnet.data.images import ImageReadError, list_images, load_images, read_image
    from keras_osnet.data.random_erasing import RandomErasing, RandomPatch
    from keras_osnet.data.records import (
        AttributeDataset,
        AttributeImages,
        ClassificationDataset,
        LabeledImages,
        PersonImage,
        ReidDataset,
    )
    from keras_osnet.data.sampling import identity_batches
    from keras_osnet.data.statistics import pixel_statistics
    from keras_osnet.data.transforms import (
        CenterCrop,
        ColorJitter,
        Normalize,
        PadAndCrop,
        RandomCrop,
        RandomFlip,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "AttributeDataset": "keras_osnet.data.records",
        "AttributeImages": "keras_osnet.data.records",
        "CenterCrop": "keras_osnet.data.transforms",
        "ClassificationDataset": "keras_osnet.data.records",
        "ColorJitter": "keras_osnet.data.transforms",
        "ImageBatches": "keras_osnet.data.batches",
        "ImageReadError": "keras_osnet.data.images",
        "LabeledImages": "keras_osnet.data.records",
        "Normalize": "keras_osnet.data.transforms",
        "PadAndCrop": "keras_osnet.data.transforms",
        "PersonImage": "keras_osnet.data.records",
        "RandomCrop": "keras_osnet.data.transforms",
        "RandomErasing": "keras_osnet.data.random_erasing",
        "RandomFlip": "keras_osnet.data.transforms",
        "RandomPatch": "keras_osnet.data.random_erasing",
        "ReidDataset": "keras_osnet.data.records",
        "attributes_from_table": "keras_osnet.data.datasets.table",
        "combineall": "keras_osnet.data.datasets.splits",
        "dataset_info": "keras_osnet.data.datasets.published",
        "extract_cuhk03": "keras_osnet.data.datasets.cuhk",
        "identity_batches": "keras_osnet.data.sampling",
        "list_datasets": "keras_osnet.data.datasets.published",
        "list_images": "keras_osnet.data.images",
        "load_images": "keras_osnet.data.images",
        "merge_datasets": "keras_osnet.data.datasets.splits",
        "people_from_table": "keras_osnet.data.datasets.table",
        "pixel_statistics": "keras_osnet.data.statistics",
        "read_dataset": "keras_osnet.data.datasets.registry",
        "read_image": "keras_osnet.data.images",
        "read_people": "keras_osnet.data.datasets.image_folder",
        "read_splits": "keras_osnet.data.datasets.registry",
        "split_by_camera": "keras_osnet.data.datasets.splits",
        "split_by_identity": "keras_osnet.data.datasets.splits",
    },
)
