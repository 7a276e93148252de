"""CIFAR from its binary version and from JPEG images."""

import io
import pickle

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet.data import read_dataset
from keras_osnet.data.datasets.published import DatasetCountError


def jpeg_arrays(count, seed, size=(32, 32)):
    from PIL import Image

    rng = np.random.default_rng(seed)
    files = []
    for _ in range(count):
        color = rng.integers(0, 256, 3).tolist()
        file = io.BytesIO()
        Image.new("RGB", size, tuple(color)).save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    return {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "offset": np.cumsum([0, *map(len, files)]),
        "label": np.arange(count, dtype=np.uint8) % 3,
    }


def write_jpeg_file(path, **changes):
    arrays = {"classes": np.array(["cat", "dog", "ship"])}
    for part, count in (("train", 4), ("test", 2)):
        arrays |= {f"{part}_{key}": value for key, value in jpeg_arrays(count, count).items()}
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("name", "labels", "files"),
    [("cifar10", 1, [f"data_batch_{i}.bin" for i in range(1, 6)]), ("cifar100", 2, ["train.bin"])],
)
def test_binary_version(tmp_path, name, labels, files):
    getattr(miniature, name)(tmp_path)
    dataset = read_dataset(name, tmp_path, check=False)
    content = np.concatenate(
        [np.fromfile(tmp_path / file, np.uint8).reshape(-1, labels + 3072) for file in files]
    )
    assert dataset.train.labels.tolist() == content[:, labels - 1].tolist()
    assert dataset.train.labels.dtype == np.int64
    assert dataset.train.images.shape == (len(content), 32, 32, 3)
    for row, column, channel in ((0, 0, 0), (0, 31, 1), (31, 5, 2)):
        byte = labels + 1024 * channel + 32 * row + column
        assert (dataset.train.images[:, row, column, channel] == content[:, byte]).all()
    assert len(dataset.classes) == dataset.counts["classes"]
    assert dataset.counts["test_images"] == 2


def test_binary_files_that_are_wrong(tmp_path):
    miniature.cifar10(tmp_path)
    path = tmp_path / "test_batch.bin"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(ValueError, match=r"records of 3073 bytes\. Received: .* of 6,145 bytes"):
        read_dataset("cifar10", tmp_path)
    path.write_bytes(b"\x0b" + good[1:])
    with pytest.raises(ValueError, match=r"label below 10 .*Received: 2 labels up to 11"):
        read_dataset("cifar10", tmp_path)


def test_pickles_are_not_opened(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (tmp_path.joinpath("opened").touch, ())

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(FileNotFoundError, match="The Python version is not: it consists of"):
        read_dataset("cifar10", tmp_path)
    with pytest.raises(ValueError, match=r"Not a file of JPEG .*can run code.*Received"):
        read_dataset("cifar10", folder / "data_batch_1")
    np.savez(tmp_path / "objects.npz", classes=np.array([Harmful()], object))
    with pytest.raises(ValueError, match=r"Not a file of JPEG .*Received"):
        read_dataset("cifar10", tmp_path / "objects.npz")
    assert not (tmp_path / "opened").exists()


def test_jpeg_file(tmp_path):
    path = tmp_path / "things.npz"
    write_jpeg_file(path)
    dataset = read_dataset("cifar100", path, check=False)
    assert dataset.classes == ("cat", "dog", "ship")
    assert dataset.train.labels.tolist() == [0, 1, 2, 0]
    colors = np.random.default_rng(4).integers(0, 256, (4, 3))
    assert np.abs(dataset.train.images[:, 16, 16].astype(int) - colors).max() <= 4
    with pytest.raises(DatasetCountError, match="classes: expected 100, found 3"):
        read_dataset("cifar100", path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": None}, "classes"),
        ({"test_jpeg": None}, "test_jpeg"),
        ({"train_label": np.zeros(3, np.uint8)}, "Received: 3 labels"),
        ({"test_label": np.array([0, 3], np.uint8)}, "Received: 2 labels up to 3"),
        ({f"test_{k}": v for k, v in jpeg_arrays(2, 0, (32, 16)).items()}, "image 0 is 32x16"),
        ({"test_offset": np.array([0, 5, 9])}, "cannot identify"),
    ],
)
def test_jpeg_files_that_are_wrong(tmp_path, changes, message):
    write_jpeg_file(tmp_path / "things.npz", **changes)
    with pytest.raises(ValueError, match=rf"{message}.*things\.npz"):
        read_dataset("cifar10", tmp_path / "things.npz")


def test_files_that_are_no_npz(tmp_path):
    write_jpeg_file(tmp_path / "things.npz")
    whole = (tmp_path / "things.npz").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        (tmp_path / "things.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"Not a file of JPEG .*Received: .*things\.npz"):
            read_dataset("cifar10", tmp_path / "things.npz")


@pytest.fixture(scope="module")
def cifar10_jpeg(reference):
    path = reference / "data/cifar10_jpeg.npz"
    if not path.is_file():
        pytest.skip(f"CIFAR-10 is not at {path}")
    return path


def test_images_of_the_reference(cifar10_jpeg, tmp_path):
    with np.load(cifar10_jpeg) as content:
        arrays = {key: content[key] for key in content.files}
    for part in ("train", "test"):
        jpeg, offset, label = (arrays[f"{part}_{key}"] for key in ("jpeg", "offset", "label"))
        chosen = range(0, len(label), 100)
        pieces = [jpeg[offset[one] : offset[one + 1]] for one in chosen]
        arrays[f"{part}_jpeg"] = np.concatenate(pieces)
        arrays[f"{part}_offset"] = np.cumsum([0, *map(len, pieces)])
        arrays[f"{part}_label"] = label[chosen]
    np.savez(tmp_path / "some.npz", **arrays)
    dataset = read_dataset("cifar10", tmp_path / "some.npz", check=False)
    assert dataset.classes[:2] == ("airplane", "automobile")
    # The means that everybody normalizes CIFAR-10 with; a sample of it is near them.
    means = dataset.train.images.mean(axis=(0, 1, 2)) / 255
    assert np.allclose(means, [0.4914, 0.4822, 0.4465], atol=0.03)


@pytest.mark.exhaustive  # 60,000 images are decoded
def test_all_of_the_reference(cifar10_jpeg):
    dataset = read_dataset("cifar10", cifar10_jpeg)
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    means = dataset.train.images[::10].mean(axis=(0, 1, 2)) / 255
    assert np.allclose(means, [0.4914, 0.4822, 0.4465], atol=0.01)
