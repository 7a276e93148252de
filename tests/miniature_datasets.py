"""Folders with the layout and the file names of the published datasets; images have one pixel.

The small datasets are complete, so that their published counts can be checked; the large ones have
a few people.
"""

import json

import numpy as np

PIXEL = b"P6 1 1 255\n\x80\x80\x80"
"""An image, which is known by its beginning, whatever its name is."""


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(PIXEL)


def market1501(root):
    """Two people to train on, two to look for; distractors, junk, and what Windows leaves."""
    touch(
        root,
        "bounding_box_train/0002_c1s1_000451_03.jpg",
        "bounding_box_train/0002_c2s1_000451_03.jpg",
        "bounding_box_train/0007_c3s3_077419_03.jpg",
        "bounding_box_train/Thumbs.db",
        "query/0001_c1s1_001051_00.jpg",
        "query/0003_c6s4_001051_00.jpg",
        "bounding_box_test/-1_c1s1_000401_03.jpg",
        "bounding_box_test/0000_c1s1_000151_01.jpg",
        "bounding_box_test/0001_c1s1_001051_03.jpg",
        "bounding_box_test/0001_c2s1_000301_00.jpg",
        "bounding_box_test/0003_c1s6_015971_01.jpg",
        "bounding_box_test/Thumbs.db",
        "readme.txt",
    )


def market1501_500k(root):
    market1501(root)
    touch(root, "images/0000_c1s1_000001_00.jpg", "images/0000_c4s1_000002_00.jpg")


def dukemtmcreid(root):
    touch(
        root,
        "bounding_box_train/0001_c2_f0046182.jpg",
        "bounding_box_train/0001_c8_f0046182.jpg",
        "query/0005_c2_f0046985.jpg",
        "bounding_box_test/0005_c5_f0051781.jpg",
        "bounding_box_test/7117_c8_f0051781.jpg",
        "LICENSE_DukeMTMC.txt",
    )


def msmt17(root, version="v1"):
    train, test = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}[version]
    end = {"v1": ".jpg", "v2": "_ex.jpg"}[version]
    lists = {
        "train": (train, [("0000", "01", 0), ("0000", "14", 0), ("0001", "02", 1)]),
        "val": (train, [("0001", "15", 1)]),
        "query": (test, [("0000", "03", 0), ("0001", "04", 1)]),
        "gallery": (test, [("0000", "05", 0), ("0001", "06", 1), ("0001", "07", 1)]),
    }
    for name, (folder, rows) in lists.items():
        lines = []
        for count, (person, camera, identity) in enumerate(rows):
            path = f"{person}/{person}_{count:03d}_{camera}_0303morning_{len(name):04d}_0{end}"
            touch(root / folder, path)
            lines.append(f"{path} {identity}\n")
        (root / f"list_{name}.txt").write_text("".join(lines))


CUHK03_PEOPLE = [(1, 1), (1, 2), (2, 1), (2, 2)]


def cuhk03_names(pair, person):
    return [f"{pair}_{person:03d}_1_01.png", f"{pair}_{person:03d}_2_06.png"]


def cuhk03(root, kinds=("detected", "labeled")):
    """Images as extracted, and the new protocol's file: pair 1 to train on, pair 2 to test."""
    from scipy.io import savemat

    names = [name for one in CUHK03_PEOPLE for name in cuhk03_names(*one)]
    for kind in kinds:
        touch(root / f"images_{kind}", *names)
        savemat(
            root / f"cuhk03_new_protocol_config_{kind}.mat",
            {
                "filelist": np.array(names, object)[:, None],
                "labels": np.repeat(np.arange(1, 5), 2)[:, None],
                "train_idx": np.array([[1, 2, 3, 4]]),
                "query_idx": np.array([[5, 7]]),
                "gallery_idx": np.array([[6, 8]]),
            },
        )


def cuhk03_saved_by_torchreid(root):
    """Files that torchreid leaves behind, with paths of another machine and labels from 0."""
    names = {one: cuhk03_names(*one) for one in CUHK03_PEOPLE}
    touch(root / "images_detected", *(name for pair in names.values() for name in pair))

    def rows(people, views=(0, 1)):
        return [
            [f"/elsewhere/cuhk03/images_detected/{names[one][view]}", label, view]
            for label, one in enumerate(people)
            for view in views
        ]

    new = {
        "train": rows(CUHK03_PEOPLE[:2]),
        "query": rows(CUHK03_PEOPLE[2:], [0]),
        "gallery": rows(CUHK03_PEOPLE[2:], [1]),
    }
    (root / "splits_new_detected.json").write_text(json.dumps([new]))
    classic = [
        {
            "train": rows([one for one in CUHK03_PEOPLE if one != held_out]),
            "query": rows([held_out]),
            "gallery": rows([held_out]),
        }
        for held_out in CUHK03_PEOPLE[:2]
    ]
    (root / "splits_classic_detected.json").write_text(json.dumps(classic))


def cuhk03_archive(path, size=(6, 4)):
    """The one file that CUHK03 comes as: cells of references, axes reversed, empty cells.

    The red channel of an image tells its place: 100 * pair + 10 * person + number.
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as archive:
        store = archive.create_group("#refs#")

        def stored(value):
            name = f"cell{len(store)}"
            store[name] = value
            return store[name].ref

        for kind in ("detected", "labeled"):
            pairs = []
            for pair in (1, 2):
                cells = np.empty((10, 2), h5py.ref_dtype)
                for person in (1, 2):
                    for number in range(1, 11):
                        image = np.zeros((*size, 3), np.uint8)
                        image[..., 0] = 100 * pair + 10 * person + number
                        there = number in (1, 6)
                        cells[number - 1, person - 1] = stored(
                            image.T if there else np.zeros(2, np.uint64)
                        )
                pairs.append(stored(cells))
            archive[kind] = np.array([pairs], h5py.ref_dtype)
        tests = [stored(np.array([[pair, person]], float).T) for pair, person in CUHK03_PEOPLE]
        archive["testsets"] = np.array([tests], h5py.ref_dtype)


def cuhk01(root, people=12):
    names = (f"{i:04d}{j:03d}.png" for i in range(1, people + 1) for j in range(1, 5))
    touch(root / "campus", *names)


def cuhk02(root):
    for pair in range(1, 6):
        for view in (1, 2):
            folder = root / f"P{pair}/cam{view}"
            touch(folder, *(f"{i:03d}_{2 * view + j - 2:02d}.png" for i in (1, 2) for j in (1, 2)))


def viper(root):
    for person in range(632):
        touch(root, f"cam_a/{person:03d}_45.bmp", f"cam_b/{person:03d}_90.bmp")
    touch(root, "README.txt")


def grid(root):
    from scipy.io import savemat

    for person in range(1, 251):
        touch(root, f"probe/{person:04d}_{1 + person % 4}_25023_204_16_107_274.jpeg")
        touch(root, f"gallery/{person:04d}_{5 + person % 4}_25023_204_16_107_274.jpeg")
    for stranger in range(775):
        touch(root, f"gallery/0000_{1 + stranger % 8}_{stranger:05d}_204_16_107_274.jpeg")
    partitions = np.empty((1, 10), object)
    for split in range(10):
        train = np.arange(1 + split, 126 + split)
        partitions[0, split] = {"first": 0, "second": 0, "third": train}
    savemat(root / "features_and_partitions.mat", {"trainIdxAll": partitions})


def prid(root):
    touch(root, *(f"single_shot/cam_a/person_{i:04d}.png" for i in range(1, 386)))
    touch(root, *(f"single_shot/cam_b/person_{i:04d}.png" for i in range(1, 750)))
    touch(root, "multi_shot/cam_a/person_0001/0001.png")


def ilids(root):
    """119 people with four images each."""
    touch(root / "Persons", *(f"{i:04d}{j:03d}.jpg" for i in range(1, 120) for j in range(1, 5)))


ATTRIBUTES = ["Female", "AgeOver60", "Hat"]


def pa100k(root, annotation="annotation/annotation.mat", images="data"):
    from scipy.io import savemat

    content = {"attributes": np.array(ATTRIBUTES, object)[:, None]}
    number = 0
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        names = [f"{number + i + 1:06d}.jpg" for i in range(count)]
        touch(root / images, *names)
        content[f"{part}_images_name"] = np.array(names, object)[:, None]
        content[f"{part}_label"] = (np.arange(number, number + count)[:, None] >> np.arange(3)) & 1
        number += count
    (root / annotation).parent.mkdir(parents=True, exist_ok=True)
    savemat(root / annotation, content)


WNIDS = ("n01440764", "n01443537", "n15075141")


def imagenet(root):
    """Three classes, of which the last stands first on the disk; a file that is no image."""
    for number, wnid in enumerate(reversed(WNIDS)):
        touch(root / "train" / wnid, *(f"{wnid}_{i}.JPEG" for i in range(number + 1)))
        touch(root / "val" / wnid, f"ILSVRC2012_val_{number:08d}.JPEG")
    touch(root, "train/readme.txt", "train/.DS_Store", "val/.hidden/x.JPEG", "test/x.JPEG")


def cifar_records(labels, count, seed):
    """Records of the binary version, the last label byte below 10, and their images."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (count, labels + 3072), dtype=np.uint8)
    content[:, :labels] %= 10
    return content


def cifar10(root):
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        cifar_records(1, 3, number).tofile(root / f"data_batch_{number}.bin")
    cifar_records(1, 2, 6).tofile(root / "test_batch.bin")
    (root / "batches.meta.txt").write_text("".join(f"thing_{i}\n" for i in range(10)) + "\n")


def cifar100(root):
    root.mkdir(parents=True, exist_ok=True)
    cifar_records(2, 3, 1).tofile(root / "train.bin")
    cifar_records(2, 2, 2).tofile(root / "test.bin")
    (root / "fine_label_names.txt").write_text("\n".join(f"thing_{i}" for i in range(100)))
