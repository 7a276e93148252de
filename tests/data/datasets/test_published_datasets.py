"""Every published dataset in its true layout, by `read_dataset`."""

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet import data
from keras_osnet.data import read_dataset, read_splits
from keras_osnet.data.datasets.published import DatasetCountError, check_counts
from keras_osnet.data.records import PersonImage, camera_labels

LAYOUTS = {
    "market1501": ("Market-1501-v15.09.15", miniature.market1501),
    "dukemtmcreid": ("DukeMTMC-reID", miniature.dukemtmcreid),
    "msmt17": ("MSMT17_V1", miniature.msmt17),
    "cuhk03": ("cuhk03", miniature.cuhk03),
    "cuhk01": ("CUHK01", miniature.cuhk01),
    "cuhk02": ("Dataset", miniature.cuhk02),
    "viper": ("VIPeR", miniature.viper),
    "grid": ("underground_reid", miniature.grid),
    "prid": ("prid_2011", miniature.prid),
    "ilids": ("i-LIDS_Pedestrian", miniature.ilids),
    "pa100k": ("PA-100K", miniature.pa100k),
    "cifar10": ("cifar-10-batches-bin", miniature.cifar10),
    "cifar100": ("cifar-100-binary", miniature.cifar100),
    "imagenet": ("CLS-LOC", miniature.imagenet),
}

COMPLETE = ["viper", "grid", "prid", "ilids"]

MATLAB = ["cuhk03", "grid", "pa100k"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a dataset once, in the folder that its archive unpacks into; give the folder above."""
    parents = {}

    def make(name):
        if name in MATLAB:
            pytest.importorskip("scipy")
        if name not in parents:
            parents[name] = tmp_path_factory.mktemp(name)
            folder, build = LAYOUTS[name]
            build(parents[name] / folder)
        return parents[name]

    return make


def rows(images):
    return [(image.path.name, image.identity, image.camera) for image in images]


def test_all_are_listed():
    assert data.list_datasets() == list(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_folder_and_folders_above_it(made, name, tmp_path):
    parent = made(name)
    direct = read_dataset(name, parent / LAYOUTS[name][0], check=False)
    above = read_dataset(name, parent, check=False)
    twice_above = tmp_path / "outer"
    twice_above.mkdir()
    (twice_above / "inner").symlink_to(parent)
    assert direct.counts == above.counts
    assert direct.counts == read_dataset(name, twice_above, check=False).counts
    assert direct.counts["train_images"] > 0
    assert direct.name == name
    assert direct.version == next(iter(data.dataset_info(name).versions))


@pytest.mark.parametrize("name", LAYOUTS)
def test_wrong_counts_say_what_was_expected_and_found(made, name):
    folder = made(name)
    removed = None
    if name in COMPLETE:
        removed = read_dataset(name, folder).query[0].path
        removed.unlink()
    with pytest.raises(DatasetCountError) as caught:
        read_dataset(name, folder)
    if removed is not None:
        removed.touch()
    message = str(caught.value)
    assert data.dataset_info(name).title in message
    if name == "ilids":
        # Its queries are drawn again among the images left: what is missing shows in the sum.
        assert "added: images: expected 476, found 475." in message
        return
    count = "test images" if "test_images" in read_dataset(name, folder, check=False).counts else (
        "query images"
    )  # fmt: skip
    version = next(iter(data.dataset_info(name).versions.values()))
    assert f"{count}: expected {version.counts[count.replace(' ', '_')]:,}, found " in message
    assert message.endswith(f"Received: {folder}")


@pytest.mark.parametrize("name", LAYOUTS)
def test_wrong_folders(made, name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist\. Received: .*nowhere"):
        read_dataset(name, tmp_path / "nowhere")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday/beach.jpg").touch()
    with pytest.raises(FileNotFoundError) as caught:
        read_dataset(name, tmp_path)
    message = str(caught.value)
    info = data.dataset_info(name)
    assert message.startswith(f"No {info.title} in `folder`")
    assert "Looked for: " in message
    assert "Found: holiday." in message
    assert info.layout.splitlines()[-1].strip() in message
    assert message.endswith(f"Received: {tmp_path}")
    if not name.startswith("cifar"):
        with pytest.raises(NotADirectoryError, match=r"must be a folder\. Received: .*beach\.jpg"):
            read_dataset(name, tmp_path / "holiday/beach.jpg")


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_datasets_have_the_published_counts_in_every_split(made, name):
    splits = read_splits(name, made(name))
    assert len(splits) == 10
    assert len({split.train_identities for split in splits}) == 10
    for split in splits:
        people = {image.identity for image in split.query}
        assert people.isdisjoint(split.train_identities)
        assert people <= {image.identity for image in split.gallery}
        assert len(split.train_labels) == len(split.train)


def test_market1501(made, tmp_path):
    dataset = read_dataset("market1501", made("market1501"), check=False)
    assert rows(dataset.train) == [
        ("0002_c1s1_000451_03.jpg", 2, 1),
        ("0002_c2s1_000451_03.jpg", 2, 2),
        ("0007_c3s3_077419_03.jpg", 7, 3),
    ]
    assert [image.identity for image in dataset.query] == [1, 3]
    assert [image.identity for image in dataset.gallery] == [0, 1, 1, 3]  # no junk
    assert dataset.distractors == {0}
    assert dataset.train_identities == (2, 7)
    assert dataset.train_labels.tolist() == [0, 0, 1]
    assert dataset.train_labels.dtype == np.int64
    assert dataset.counts["identities"] == 4
    assert dataset.counts["gallery_identities"] == 3

    with pytest.raises(FileNotFoundError, match=r"Nearest: .*v15\.09\.15, which lacks images\."):
        read_dataset("market1501", made("market1501"), version="500k")
    miniature.market1501_500k(tmp_path)
    more = read_dataset("market1501", tmp_path, version="500k", check=False)
    assert [image.identity for image in more.gallery] == [0, 1, 1, 3, 0, 0]


def test_market1501_with_a_missing_folder_and_a_stray_image(tmp_path):
    miniature.market1501(tmp_path / "Market-1501-v15.09.15")
    stray = tmp_path / "Market-1501-v15.09.15/query/holiday.jpg"
    stray.touch()
    with pytest.raises(ValueError, match=r"0002_c1s1_000451_03\.jpg\. Received: .*holiday\.jpg"):
        read_dataset("market1501", tmp_path)
    for path in stray.parent.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"no images.*Received: .*query"):
        read_dataset("market1501", tmp_path)
    stray.parent.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        read_dataset("market1501", tmp_path)
    assert "Looked for: bounding_box_train, query, bounding_box_test." in str(caught.value)
    assert "Market-1501-v15.09.15, which lacks query." in str(caught.value)


def test_two_datasets_of_one_layout_below_the_folder(tmp_path):
    miniature.market1501(tmp_path / "market")
    miniature.dukemtmcreid(tmp_path / "duke")
    with pytest.raises(ValueError, match=r"more than one folder .*duke, .*market\. Name one"):
        read_dataset("market1501", tmp_path)
    with pytest.raises(DatasetCountError, match=r"This is not Market-1501"):
        read_dataset("market1501", tmp_path / "duke")


def test_dukemtmcreid(made):
    dataset = read_dataset("dukemtmcreid", made("dukemtmcreid"), check=False)
    assert [image.camera for image in dataset.train] == [2, 8]
    assert [image.identity for image in dataset.gallery] == [5, 7117]
    assert dataset.counts["identities"] == 3


def test_msmt17(made, tmp_path):
    dataset = read_dataset("msmt17", made("msmt17"), check=False)
    assert rows(dataset.train)[:2] == [
        ("0000_000_01_0303morning_0005_0.jpg", 0, 1),
        ("0000_001_14_0303morning_0005_0.jpg", 0, 14),
    ]
    assert [image.identity for image in dataset.validation] == [1]
    # Its people to test on are counted from 0 too; person 0 of the test is not person 0.
    assert [image.identity for image in dataset.query] == [2, 3]
    assert [image.identity for image in dataset.gallery] == [2, 3, 3]
    assert all(image.path.is_file() for image in dataset.all_images)

    miniature.msmt17(tmp_path / "MSMT17_V2", version="v2")
    newer = read_dataset("msmt17", tmp_path, version="v2", check=False)
    assert newer.counts == dataset.counts
    with pytest.raises(FileNotFoundError, match="looks for version 'v1'; the folders of the other"):
        read_dataset("msmt17", tmp_path)


def test_msmt17_lists_that_are_wrong(tmp_path):
    miniature.msmt17(tmp_path)
    path = tmp_path / "list_query.txt"
    good = path.read_text()
    path.write_text(good + "\n0001/0001_000_99_0303morning_0000_0.jpg 1\n")
    with pytest.raises(FileNotFoundError, match=r"1 of the 3 files that .*list_query\.txt names"):
        read_dataset("msmt17", tmp_path)
    path.write_text(good + "0001.jpg\n")
    with pytest.raises(ValueError, match=r"Received: '0001\.jpg', line 3 of .*list_query\.txt"):
        read_dataset("msmt17", tmp_path)
    path.write_text("0001/0001.jpg 1\n")
    with pytest.raises(ValueError, match=r"not like 0000_000_01_.*Received: .*0001\.jpg"):
        read_dataset("msmt17", tmp_path)
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"empty\. Received: .*list_query\.txt"):
        read_dataset("msmt17", tmp_path)


def test_complete_cuhk01(tmp_path):
    miniature.cuhk01(tmp_path, people=971)
    dataset = read_dataset("cuhk01", tmp_path)
    assert dataset.counts["identities"] == 971


def test_cuhk01_and_viper_in_both_directions(made):
    for name, first in (("cuhk01", "001"), ("viper", "45")):
        a_to_b = read_dataset(name, made(name), split=3, check=False)
        b_to_a = read_dataset(name, made(name), split=3, version="b-to-a", check=False)
        assert a_to_b.train == b_to_a.train
        assert a_to_b.query == b_to_a.gallery
        assert {image.camera for image in a_to_b.query} == {1}
        assert a_to_b.query[0].path.stem.endswith(first)


def test_random_splits_do_not_change_between_versions(made):
    # Figures measured on these splits are compared over years.
    assert read_dataset("viper", made("viper")).train_identities[:6] == (0, 5, 7, 8, 10, 14)
    assert read_dataset("prid", made("prid"), split=9).train_identities[:6] == (
        1,
        9,
        11,
        16,
        17,
        20,
    )
    queries = read_dataset("ilids", made("ilids"), split=1).query
    assert tuple(image.path.name for image in queries[:3]) == (
        "0004001.jpg",
        "0007002.jpg",
        "0010003.jpg",
    )


def test_cuhk02(made):
    dataset = read_dataset("cuhk02", made("cuhk02"), check=False)
    assert rows(dataset.train)[0] == ("001_01.png", 10001, 1)
    assert rows(dataset.train)[-1] == ("002_04.png", 40002, 8)
    assert rows(dataset.query)[0] == ("001_01.png", 50001, 9)
    assert rows(dataset.gallery)[0] == ("001_03.png", 50001, 10)
    assert dataset.counts["identities"] == 10
    assert dataset.counts["images"] == 40


def test_grid(made, tmp_path):
    pytest.importorskip("scipy")
    dataset = read_dataset("grid", made("grid"), split=2)
    assert dataset.train_identities == tuple(range(3, 128))
    assert dataset.distractors == {0}
    miniature.touch(tmp_path, "probe/0001_1_0.jpeg", "gallery/0001_2_0.jpeg")
    (tmp_path / "features_and_partitions.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(ValueError, match=r"MATLAB file: .*Received: .*partitions\.mat"):
        read_dataset("grid", tmp_path)


def test_prid_keeps_people_of_the_same_number_apart(made):
    dataset = read_dataset("prid", made("prid"))
    assert {image.identity for image in dataset.query} <= set(range(1, 201))
    assert {image.camera for image in dataset.gallery} == {2}
    assert dataset.distractors == frozenset(range(201, 750))


def test_ilids_has_no_cameras(made):
    dataset = read_dataset("ilids", made("ilids"))
    assert camera_labels(dataset.query) is None
    for query, gallery in zip(dataset.query, dataset.gallery, strict=True):
        assert query.identity == gallery.identity
        assert query.path != gallery.path


def test_pa100k(made, tmp_path):
    dataset = read_dataset("pa100k", made("pa100k"), check=False)
    assert dataset.attribute_names == tuple(miniature.ATTRIBUTES)
    assert [path.name for path in dataset.validation.paths] == ["000005.jpg", "000006.jpg"]
    assert dataset.validation.attributes.tolist() == [[0, 0, 1], [1, 0, 1]]
    assert dataset.train.attributes.dtype == np.uint8
    assert dataset.counts == {
        "attributes": 3, "train_images": 4, "validation_images": 2, "test_images": 2
    }  # fmt: skip

    miniature.pa100k(tmp_path, "annotation.mat", "data/release_data/release_data")
    nested = read_dataset("pa100k", tmp_path, check=False)
    assert nested.train.paths[0].parent == tmp_path / "data/release_data/release_data"
    nested.test.paths[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 2 files .*000008\.jpg\. Received"):
        read_dataset("pa100k", tmp_path)


def test_pa100k_annotations_that_are_wrong(tmp_path):
    from_scipy = pytest.importorskip("scipy.io")
    miniature.pa100k(tmp_path)
    path = tmp_path / "annotation/annotation.mat"
    content = {k: v for k, v in from_scipy.loadmat(path).items() if not k.startswith("_")}
    from_scipy.savemat(path, {**content, "val_label": content["val_label"][:1]})
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*Received: \(1, 3\) in .*annotation"):
        read_dataset("pa100k", tmp_path)
    del content["test_label"]
    from_scipy.savemat(path, content)
    with pytest.raises(ValueError, match=r"'test_label'.*Received: .*annotation\.mat"):
        read_dataset("pa100k", tmp_path)


def test_packages_that_only_some_files_need(made, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    for name in ("grid", "pa100k"):
        with pytest.raises(ImportError, match=r"MATLAB files needs scipy.*osnet\[matlab\]"):
            read_dataset(name, made(name))


def test_names_versions_and_splits_that_do_not_exist(tmp_path):
    with pytest.raises(ValueError, match=r"one of market1501, .*Received: 'imagenet21k'"):
        read_dataset("imagenet21k", tmp_path)
    with pytest.raises(ValueError, match=r"one of v1, v2\. Received: 'v3'"):
        read_dataset("msmt17", tmp_path, version="v3")
    with pytest.raises(ValueError, match=r"from 0 to 9 for 'viper'.*Received: 10"):
        read_dataset("viper", tmp_path, split=10)
    with pytest.raises(ValueError, match=r"from 0 to 0 for 'cuhk03'.*Received: 1"):
        read_dataset("cuhk03", tmp_path, split=1)


def test_published_counts_agree_with_each_other():
    facts = {name: data.dataset_info(name).versions for name in data.list_datasets()}
    for version in facts["msmt17"].values():
        parts = ("train", "validation", "query", "gallery")
        assert sum(version.counts[f"{part}_images"] for part in parts) == version.counts["images"]
    for kind in ("detected", "labeled"):
        new, classic = facts["cuhk03"][kind], facts["cuhk03"][f"classic-{kind}"]
        parts = ("train", "query", "gallery")
        assert sum(new.counts[f"{part}_images"] for part in parts) == classic.counts["images"]
    market = facts["market1501"]["standard"].counts
    assert market["train_identities"] + market["query_identities"] == market["identities"]
    for name in data.list_datasets():
        for version in facts[name].values():
            assert version.counts, name


def test_check_counts_of_a_dataset_that_is_not_published():
    with pytest.raises(ValueError, match=r"Received: 'own'"):
        check_counts(data.ReidDataset("own", (PersonImage(None, 1, 1),)), "folder")
