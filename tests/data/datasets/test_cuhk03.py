"""CUHK03: two kinds of boxes, two protocols, three sources of splits."""

import json

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet.data import read_dataset, read_splits
from keras_osnet.data.datasets.cuhk import extract_cuhk03
from keras_osnet.data.images import read_image


def names(images):
    return [image.path.name for image in images]


def test_new_protocol(tmp_path):
    pytest.importorskip("scipy")
    miniature.cuhk03(tmp_path)
    for kind in ("detected", "labeled"):
        dataset = read_dataset("cuhk03", tmp_path, version=kind, check=False)
        assert not dataset.single_gallery_shot
        assert names(dataset.train) == [
            "1_001_1_01.png", "1_001_2_06.png", "1_002_1_01.png", "1_002_2_06.png"
        ]  # fmt: skip
        assert dataset.train_identities == (10001, 10002)
        assert [(i.identity, i.camera) for i in dataset.query] == [(20001, 1), (20002, 1)]
        assert [(i.identity, i.camera) for i in dataset.gallery] == [(20001, 2), (20002, 2)]
        assert dataset.query[0].path.parent == tmp_path / f"images_{kind}"


def test_new_protocol_file_that_is_wrong(tmp_path):
    pytest.importorskip("scipy")
    miniature.cuhk03(tmp_path, kinds=["detected"])
    (tmp_path / "images_detected/2_001_1_01.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 8 files .*2_001_1_01\.png"):
        read_dataset("cuhk03", tmp_path)
    config = tmp_path / "cuhk03_new_protocol_config_detected.mat"
    __import__("scipy.io").io.savemat(config, {"labels": np.ones(3)})
    with pytest.raises(ValueError, match=r"'filelist'.*Received: .*config_detected\.mat"):
        read_dataset("cuhk03", tmp_path)


def test_splits_that_torchreid_saved(tmp_path):
    miniature.cuhk03_saved_by_torchreid(tmp_path)
    new = read_dataset("cuhk03", tmp_path, check=False)
    assert names(new.query) == ["2_001_1_01.png", "2_002_1_01.png"]
    # torchreid's labels of training people start from 0, as do those of the others.
    assert {i.identity for i in new.train}.isdisjoint(i.identity for i in new.query)
    classic = read_dataset("cuhk03", tmp_path, version="classic-detected", split=1, check=False)
    assert classic.single_gallery_shot
    assert names(classic.query) == names(classic.gallery) == ["1_002_1_01.png", "1_002_2_06.png"]
    assert classic.counts["images"] == 8
    with pytest.raises(ValueError, match=r"split 2 in it.*Received: .*splits_classic_detected"):
        read_dataset("cuhk03", tmp_path, version="classic-detected", split=2)
    saved = tmp_path / "splits_new_detected.json"
    for wrong in ("no json", json.dumps([{"train": 3}]), json.dumps(7)):
        saved.write_text(wrong)
        with pytest.raises(ValueError, match=r"as torchreid saves them.*Received: "):
            read_dataset("cuhk03", tmp_path)


def test_images_and_classic_splits_of_the_archive(tmp_path):
    pytest.importorskip("h5py")
    archive = tmp_path / "cuhk03/cuhk03_release/cuhk-03.mat"
    miniature.cuhk03_archive(archive, size=(6, 4))
    with pytest.raises(FileNotFoundError, match=r"lacks images_labeled\.\n.*extracts the images"):
        read_dataset("cuhk03", tmp_path, version="classic-labeled")
    root = extract_cuhk03(tmp_path)
    assert root == tmp_path / "cuhk03"
    expected = sorted(n for one in miniature.CUHK03_PEOPLE for n in miniature.cuhk03_names(*one))
    for kind in ("detected", "labeled"):
        assert sorted(p.name for p in (root / f"images_{kind}").iterdir()) == expected
    image = read_image(root / "images_labeled/2_001_2_06.png")
    assert image.shape == (6, 4, 3)
    assert (image == [216, 0, 0]).all()

    # A second call completes what is missing and leaves the rest.
    (root / "images_detected/1_001_1_01.png").unlink()
    (root / "images_detected/1_002_1_01.png").write_bytes(b"mine")
    extract_cuhk03(root)
    assert (root / "images_detected/1_001_1_01.png").stat().st_size > 4
    assert (root / "images_detected/1_002_1_01.png").read_bytes() == b"mine"

    for split, (pair, person) in enumerate(miniature.CUHK03_PEOPLE):
        dataset = read_dataset(
            "cuhk03", tmp_path, version="classic-detected", split=split, check=False
        )
        assert names(dataset.query) == miniature.cuhk03_names(pair, person)
        assert dataset.query == dataset.gallery
        assert len(dataset.train) == 6
    with pytest.raises(ValueError, match=r"test set 4 .*Received: .*cuhk-03\.mat"):
        read_splits("cuhk03", tmp_path, version="classic-detected", check=False)


def test_archive_that_is_none(tmp_path):
    pytest.importorskip("h5py")
    miniature.touch(tmp_path, "cuhk03_release/cuhk-03.mat")
    with pytest.raises(ValueError, match=r"MATLAB 7\.3 file.*Received: .*cuhk-03\.mat"):
        extract_cuhk03(tmp_path)
