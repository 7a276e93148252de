from pathlib import Path

import pytest

from keras_osnet.data import PersonImage
from keras_osnet.data.datasets.market1501 import parse_market1501_name, read_folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0001_c1s1_000001_00.png", (1, 1)),
        ("1501_c6s4_012345_11.jpg.jpg", (1501, 6)),
        ("-1_c3s2_000001_00.jpg", (-1, 3)),
        ("0000_c2s1_000151_01.jpg", (0, 2)),
        ("0005_c15s1_000151_01.jpg", (5, 15)),
        ("0005_c2_f0046985.jpg", (5, 2)),
        ("12345_c1.png", (12345, 1)),
        (Path("0009_c9s9_0_0") / "0002_c1s1_000451_03.jpg", (2, 1)),
    ],
)
def test_parse(name, expected):
    assert parse_market1501_name(name) == expected


@pytest.mark.parametrize(
    "name", ["Thumbs.jpg", "c1s1_0001.png", "-2_c1s1_0.png", "x0001_c1s1_0.png", "0001_cam1.png",
             "0001_c1x.png", "0001-c1s1.png", "", "0001_c1s1_000001_00.png/other.png"]
)  # fmt: skip
def test_parse_error_names_the_file(name):
    with pytest.raises(ValueError, match=r"<identity>_c<camera>.*Received: ") as caught:
        parse_market1501_name(name)
    assert str(caught.value).endswith(f"Received: {name}")


def test_read_folder_leaves_out_junk_and_keeps_distractors(tmp_path):
    for name in ["0002_c1s1_000001_00.jpg", "-1_c1s1_000001_00.jpg", "0000_c3s1_000001_00.jpg"]:
        (tmp_path / name).touch()
    distractor = PersonImage(tmp_path / "0000_c3s1_000001_00.jpg", 0, 3, distractor=True)
    person = PersonImage(tmp_path / "0002_c1s1_000001_00.jpg", 2, 1)
    junk = PersonImage(tmp_path / "-1_c1s1_000001_00.jpg", -1, 1)
    assert read_folder(tmp_path) == [distractor, person]
    assert read_folder(tmp_path, keep_junk=True) == [junk, distractor, person]


def test_read_folder_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "-1_c1s1_000001_00.jpg").touch()
    with pytest.raises(ValueError, match=r"junk only.*Received: .* with 1 images"):
        read_folder(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"Received: .*holiday\.jpg"):
        read_folder(tmp_path)
