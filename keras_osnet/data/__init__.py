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
    from keras_osnet.data.images import ImageReadError, read_image
    from keras_osnet.data.list_images import list_images
    from keras_osnet.data.load_images import load_images
    from keras_osnet.data.random_erasing import RandomErasing, RandomPatch
    from keras_osnet.data.records import (
        AttributeDataset,
        AttributeImages,
        ClassificationDataset,
        EmbeddedImages,
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

__getattr__, __dir__, __all__ = lazy.attach(__name__)
