"""ImageNet, and other images in a folder for each class."""

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet.data import dataset_info, read_dataset
from keras_osnet.data.datasets.published import DatasetCountError, check_counts
from keras_osnet.data.records import ClassificationDataset, LabeledImages


@pytest.fixture
def folder(tmp_path):
    miniature.imagenet(tmp_path)
    return tmp_path


def rows(labelled):
    return [
        (path.parent.name, path.name, label)
        for path, label in zip(labelled.images, labelled.labels.tolist(), strict=True)
    ]


def test_images_labels_and_classes(folder):
    dataset = read_dataset("imagenet", folder, check=False)
    assert dataset.classes == miniature.WNIDS
    assert rows(dataset.train) == [
        ("n01440764", "n01440764_0.JPEG", 0),
        ("n01440764", "n01440764_1.JPEG", 0),
        ("n01440764", "n01440764_2.JPEG", 0),
        ("n01443537", "n01443537_0.JPEG", 1),
        ("n01443537", "n01443537_1.JPEG", 1),
        ("n15075141", "n15075141_0.JPEG", 2),
    ]
    assert rows(dataset.test) == [
        ("n01440764", "ILSVRC2012_val_00000002.JPEG", 0),
        ("n01443537", "ILSVRC2012_val_00000001.JPEG", 1),
        ("n15075141", "ILSVRC2012_val_00000000.JPEG", 2),
    ]
    assert isinstance(dataset.train.images, tuple)
    assert all(path.is_file() for path in dataset.train.images + dataset.test.images)
    assert dataset.train.labels.dtype == np.int64
    assert dataset.counts == {"classes": 3, "train_images": 6, "test_images": 3}


def test_published_counts(folder):
    message = (
        r"classes: expected 1,000, found 3; train images: expected 1,281,167, found 6; "
        r"test images: expected 50,000, found 3\."
    )
    with pytest.raises(DatasetCountError, match=message):
        read_dataset("imagenet", folder)
    assert dataset_info("imagenet").versions["standard"].counts["classes"] == 1000
    whole = ClassificationDataset(
        name="imagenet",
        classes=("class",) * 1000,
        train=LabeledImages((), np.zeros(1_281_167, np.int64)),
        test=LabeledImages((), np.zeros(50_000, np.int64)),
        version="standard",
    )
    check_counts(whole, folder)


def test_any_folder_of_classes(tmp_path):
    miniature.touch(
        tmp_path, "train/dog/a.png", "train/cat/b.jpg", "train/cat/deeper/a.JPG", "val/dog/c.bmp"
    )
    dataset = read_dataset("imagenet", tmp_path, check=False)
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.labels.tolist() == [0, 0, 1]
    assert [path.name for path in dataset.train.images] == ["b.jpg", "a.JPG", "a.png"]
    assert dataset.test.labels.tolist() == [1]


def test_val_without_class_folders(folder):
    for wnid in miniature.WNIDS:
        for path in (folder / "val" / wnid).iterdir():
            path.rename(folder / "val" / path.name)
        (folder / "val" / wnid).rmdir()
    message = (
        r"val of ImageNet .*a folder of images for each class.* without folders: sort each .*"
        r"Received: .*val with 0 folders and 3 images: ILSVRC2012_val_00000000\.JPEG, "
    )
    for check in (True, False):
        with pytest.raises(ValueError, match=message):
            read_dataset("imagenet", folder, check=check)


def test_train_without_class_folders(tmp_path):
    # The archive of train holds an archive for each class.
    miniature.touch(tmp_path, "train/n01440764.tar", "val/n01440764/a.JPEG")
    with pytest.raises(ValueError, match=r"train of .* 0 folders and 0 images: n01440764\.tar$"):
        read_dataset("imagenet", tmp_path)


def test_images_beside_the_folders(folder):
    miniature.touch(folder, "train/stray.JPEG")
    with pytest.raises(ValueError, match=r"no images beside them\. Received: .*and 1 images"):
        read_dataset("imagenet", folder, check=False)


def test_classes_that_are_empty_or_only_in_val(folder):
    miniature.touch(folder, "val/n99999999/a.JPEG", "val/n88888888/a.JPEG")
    with pytest.raises(ValueError, match=r"one of train\. .*val with n88888888, n99999999$"):
        read_dataset("imagenet", folder, check=False)
    (folder / "train/n99999999").mkdir()
    miniature.touch(folder, "train/n88888888/a.JPEG")
    with pytest.raises(ValueError, match=r"no images .*Received: .*train.n99999999"):
        read_dataset("imagenet", folder, check=False)


def test_kaggles_layout_has_annotations_like_images(tmp_path):
    miniature.imagenet(tmp_path / "Data/CLS-LOC")
    miniature.touch(tmp_path / "Annotations/CLS-LOC", "train/n01440764/a.xml", "val/a.xml")
    with pytest.raises(ValueError, match=r"more than one folder .*Annotations.*, .*Data"):
        read_dataset("imagenet", tmp_path)
    assert read_dataset("imagenet", tmp_path / "Data", check=False).counts["classes"] == 3
