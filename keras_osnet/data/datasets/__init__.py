"""Datasets in folders: published ones, known by name, and users' own."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
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

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "AttributeDataset": "keras_osnet.data.datasets.records",
        "AttributeImages": "keras_osnet.data.datasets.records",
        "ClassificationDataset": "keras_osnet.data.datasets.records",
        "DatasetCountError": "keras_osnet.data.datasets.published",
        "DatasetInfo": "keras_osnet.data.datasets.published",
        "DatasetVersion": "keras_osnet.data.datasets.published",
        "LabeledImages": "keras_osnet.data.datasets.records",
        "ReidDataset": "keras_osnet.data.datasets.records",
        "attributes_from_table": "keras_osnet.data.datasets.table",
        "camera_labels": "keras_osnet.data.datasets.records",
        "check_counts": "keras_osnet.data.datasets.published",
        "combineall": "keras_osnet.data.datasets.combine",
        "dataset_info": "keras_osnet.data.datasets.published",
        "extract_cuhk03": "keras_osnet.data.datasets.cuhk03_archive",
        "identity_labels": "keras_osnet.data.datasets.records",
        "identity_folders": "keras_osnet.data.datasets.image_folder",
        "list_datasets": "keras_osnet.data.datasets.published",
        "merge_datasets": "keras_osnet.data.datasets.combine",
        "people_from_table": "keras_osnet.data.datasets.table",
        "ranking_labels": "keras_osnet.data.datasets.records",
        "read_dataset": "keras_osnet.data.datasets.registry",
        "read_people": "keras_osnet.data.datasets.image_folder",
        "read_splits": "keras_osnet.data.datasets.registry",
        "split_by_identity": "keras_osnet.data.datasets.held_out",
        "split_queries": "keras_osnet.data.datasets.held_out",
    },
)
