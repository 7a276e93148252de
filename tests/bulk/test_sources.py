"""Lists, tar files and videos, and the columns that they give."""

import datetime
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from keras_osnet.bulk import VectorDataset, embed_to_parquet
from keras_osnet.data import read_image

UTC = datetime.UTC


def rows(folder):
    """Return the rows of a data set without their vectors, by key."""
    dataset = VectorDataset(folder)
    columns = [name for name in dataset.schema.names if name not in ("vector", "model")]
    return {row.pop("key"): row for batch in dataset.batches(columns) for row in batch.to_pylist()}


def types(folder):
    schema = VectorDataset(folder).schema
    return {field.name: str(field.type) for field in schema if field.name not in ("key", "vector")}


# --- lists ---------------------------------------------------------------------------------------


@pytest.fixture
def make_list(crops, tmp_path):
    """Write a CSV file beside a copy of three images."""
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes((crops / "more" / f"00{index}.png").read_bytes())

    def make_list(text, name="list.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding)
        return path

    return make_list


def test_a_list_keeps_its_columns_and_their_types(make_list, tmp_path, embedder, by_key):
    file = make_list(
        "path,camera,time,site,score,seen\n"
        "0.png,3,2026-11-27T14:03:00+02:00,north,0.5,true\n"
        f"{tmp_path}/1.png,4,2026-11-27 14:03:00.25,,1,false\n"
        "2.png,,,süd,,\n"
    )
    embed_to_parquet(file, tmp_path / "vectors", embedder)
    assert types(tmp_path / "vectors") == {
        "model": "string",
        "path": "string",
        "camera": "int64",
        "time": "timestamp[us, tz=UTC]",
        "site": "string",
        "score": "double",
        "seen": "bool",
    }
    there = rows(tmp_path / "vectors")
    assert list(there) == ["0.png", f"{tmp_path}/1.png", "2.png"]
    assert there["0.png"] == {
        "path": str(tmp_path / "0.png"),
        "camera": 3,
        "time": datetime.datetime(2026, 11, 27, 12, 3, tzinfo=UTC),
        "site": "north",
        "score": 0.5,
        "seen": True,
    }
    assert there[f"{tmp_path}/1.png"]["time"] == datetime.datetime(
        2026, 11, 27, 14, 3, 0, 250_000, tzinfo=UTC
    )
    assert there["2.png"]["camera"] is None
    assert there["2.png"]["site"] == "süd"
    vectors = by_key(tmp_path / "vectors")
    expected = embedder.embed(tmp_path / "2.png")[0]
    np.testing.assert_allclose(vectors["2.png"], expected, atol=5e-4)


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        ("\ufeffpath;camera\n0.png;1\n", "list.csv", "utf-8"),
        ("path\tcamera\n0.png\t1\n", "list.tsv", "utf-8"),
        ("path,camera\r\n0.png,1\r\n", "list.csv", "utf-16"),
        ("path,camera\r\n0.png,1\r\n", "list.csv", "utf-16-le"),
        ("path|camera\n0.png|1\n", "list.csv", "utf-8"),
        ("sep=#\r\npath#camera\r\n0.png#1\r\n", "list.csv", "utf-8"),
        ("sep=;\npath;camera\n0.png;1\n", "list.csv", "utf-8-sig"),
        ("sep=|\npath|camera\n0.png|1\n", "list.csv", "utf-16"),
        ("\n,\n\npath,camera\n0.png,1\n", "list.csv", "utf-8"),
        ('"a;b;c;d","path"\n\n1,0.png\n', "list.csv", "utf-8"),
    ],
)
def test_spellings_of_csv(make_list, tmp_path, embedder, text, name, encoding):
    embed_to_parquet(make_list(text, name, encoding), tmp_path / "vectors", embedder)
    other = "camera" if "camera" in text else "a;b;c;d"
    assert rows(tmp_path / "vectors") == {"0.png": {"path": str(tmp_path / "0.png"), other: 1}}


def test_a_list_of_windows(make_list, tmp_path, embedder, monkeypatch):
    """Bytes that are not UTF-8 may come long after the beginning."""
    monkeypatch.setattr("keras_osnet.bulk.table._BLOCK", 64)
    lines = [f"{index:03};0.png;north\n" for index in range(50)]
    file = make_list("key;path;site\n" + "".join(lines) + "050;0.png;süd €\n", encoding="cp1252")
    with pytest.warns(UserWarning, match="read as cp1252.*first in line 52"):
        embed_to_parquet(file, tmp_path / "vectors", embedder)
    there = rows(tmp_path / "vectors")
    assert (there["000"]["site"], there["050"]["site"]) == ("north", "süd €")


def test_a_list_that_is_no_text(make_list, tmp_path, embedder):
    file = make_list("")
    file.write_bytes(b"path,site\n0.png,\x81\n")
    with pytest.raises(ValueError, match=r"not text in UTF-8, UTF-16 or cp1252. Received: .*list"):
        embed_to_parquet(file, tmp_path / "vectors", embedder)


def test_a_type_holds_for_all_of_a_list(make_list, tmp_path, embedder, monkeypatch):
    """Types are guessed from the beginning of a file, which may be of another."""
    monkeypatch.setattr("keras_osnet.bulk.table._BLOCK", 64)
    lines = [f"a{index:03},0.png,{index},{index},\n" for index in range(50)]
    lines += ["b,0.png,1.5,x,7\n"]
    file = make_list("key,path,number,text,late\n" + "".join(lines))
    result = embed_to_parquet(file, tmp_path / "vectors", embedder)
    assert result.vectors == 51
    there = types(tmp_path / "vectors")
    assert (there["number"], there["text"], there["late"]) == ("double", "string", "int64")
    there = rows(tmp_path / "vectors")
    assert (there["a001"]["number"], there["a001"]["text"]) == (1.0, "1")
    assert (there["b"]["number"], there["b"]["text"], there["b"]["late"]) == (1.5, "x", 7)


def test_a_parquet_list(make_list, tmp_path, embedder):
    pa = pytest.importorskip("pyarrow")
    columns = {
        "path": pa.array(["0.png", "1.png"]).dictionary_encode(),
        "camera": pa.array([1, 2], pa.int16()),
        "time": pa.array([10**9, 10**9 + 1], pa.timestamp("ns", "Europe/Berlin")),
        "box": pa.array([[1, 2, 3, 4], None], pa.list_(pa.int32())),
        "note": pa.nulls(2),
    }
    make_list("")
    file = tmp_path / "list.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), file)
    embed_to_parquet(file, tmp_path / "vectors", embedder)
    there = types(tmp_path / "vectors")
    assert (there["camera"], there["box"], there["note"]) == (
        "int16",
        "list<element: int32>",
        "string",
    )
    row = rows(tmp_path / "vectors")["1.png"]
    assert row["time"] == datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_boxes_of_a_list_are_cut_out(make_list, tmp_path, embedder, by_key, reasons):
    file = make_list(
        "path,left,top,width,height,person\n"
        "0.png,2,3,10,20,a\n0.png,0.4,0,20,40,b\n0.png,30,0,5,5,c\n0.png,0.1,0.1,0.5,0.5,d\n"
        "1.png,,0,5,5,e\n2.png,-5,-5,100,100,f\n"
    )
    result = embed_to_parquet(file, tmp_path / "vectors", embedder)
    assert (result.vectors, result.unreadable) == (3, 3)
    frame = read_image(tmp_path / "0.png")
    vectors = by_key(tmp_path / "vectors")
    assert list(vectors) == ["0.png:2,3,12,23", "0.png:0.4,0,20.4,40", "2.png:-5,-5,95,95"]
    expected = embedder.embed_crops(frame, [(2, 3, 12, 23), (0.4, 0, 20.4, 40)])
    np.testing.assert_allclose(list(vectors.values())[:2], expected, atol=5e-4)
    row = rows(tmp_path / "vectors")["0.png:2,3,12,23"]
    assert (row["box"], row["width"], row["person"]) == ([2, 3, 12, 23], 10, "a")
    why = reasons(tmp_path / "vectors")
    assert list(why) == ["0.png:30,0,35,5", "0.png:0.1,0.1,0.6,0.6", "1.png:nan,0,nan,5"]
    assert why["0.png:30,0,35,5"].startswith("the box (30, 0, 35, 5) as left, top, right, bottom")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The table is empty"),
        ("path\n", "no rows"),
        ("path", "no rows"),
        ("file\n0.png\n", "needs a column `path`. Received: file in "),
        ("path,camera\n0.png,1\n,2\n", "no `path` in row 2"),
        ("path\n0.png\n1.png\n0.png\n", "1 crops twice, the first is 0.png"),
        ("path,model\n0.png,1\n", "column `model` of a name that the output needs"),
        ("path,reason\n0.png,1\n", "column `reason` of a name that the output needs"),
        ("path,a,a\n0.png,1,2\n", "column `a` twice"),
        ("path,time\n0.png,12.5\n", "`time` must hold times such as .* double"),
        ("path,time\n0.png,noon\n", "`time`: .*noon"),
        ("path,camera\n0.png,1,2\n", "cannot be read: .*Expected 2 columns"),
        ("path,left,top,right,bottom\n0.png,a,1,2,3\n", "left, top, right, bottom must be num"),
    ],
)
def test_lists_that_are_refused_before_the_work(make_list, tmp_path, embedder, text, message):
    with pytest.raises(ValueError, match=message):
        embed_to_parquet(make_list(text), tmp_path / "vectors", embedder)
    assert not (tmp_path / "vectors").exists()


# --- tar files -----------------------------------------------------------------------------------


@pytest.fixture
def content(crops):
    return [(crops / "more" / f"{index:03}.png").read_bytes() for index in range(6)]


def write_tar(path, members):
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def sample(name, image, **entries):
    return [(f"{name}.png", image), (f"{name}.json", json.dumps(entries).encode())]


def test_names_that_are_no_text(tmp_path, content, embedder, by_key):
    (tmp_path / "crops").mkdir()
    try:
        (tmp_path / "crops" / "caf\udce9.png").write_bytes(content[0])
    except (OSError, UnicodeError):
        pytest.skip("file names are text on this system")
    embed_to_parquet(tmp_path / "crops", tmp_path / "folder", embedder)
    assert list(by_key(tmp_path / "folder")) == [r"caf\udce9.png"]
    archive = write_tar(tmp_path / "a\udce9.tar", [("caf\udce9.png", content[0])])
    embed_to_parquet(archive, tmp_path / "tar", embedder)
    assert list(by_key(tmp_path / "tar")) == [r"a\udce9.tar/caf\udce9.png"]


def test_damaged_compression(tmp_path, content, embedder, reasons):
    members = [member for index, each in enumerate(content) for member in sample(index, each, a=1)]
    archive = write_tar(tmp_path / "a.tgz", members)
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 50] = bytes(50)
    archive.write_bytes(whole)
    result = embed_to_parquet(archive, tmp_path / "vectors", embedder)
    assert 0 < result.vectors < 6
    assert "the archive is damaged after " in reasons(tmp_path / "vectors")["a.tgz"]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_archives_give_columns_of_their_json(tmp_path, content, embedder, by_key, suffix):
    first = write_tar(
        tmp_path / f"a{suffix}",
        [
            *sample("d/0", content[0], camera=1, time="2026-11-27T14:03:00Z", path="/etc/passwd"),
            *reversed(sample("d/1", content[1], camera=2, tags=["x"], nested={"a": 1})),
            ("d/1.txt", b"a note"),
        ],
    )
    second = write_tar(tmp_path / f"b{suffix}", [("../0.png", content[2]), ("/x.PNG", content[3])])
    embed_to_parquet([first, second], tmp_path / "vectors", embedder)
    there = rows(tmp_path / "vectors")
    names = [f"a{suffix}/d/0.png", f"a{suffix}/d/1.png", f"b{suffix}/../0.png", f"b{suffix}//x.PNG"]
    assert list(there) == names
    assert there[names[0]] == {
        "archive": str(first),
        "camera": 1,
        "time": datetime.datetime(2026, 11, 27, 14, 3, tzinfo=UTC),
        "tags": None,
        "nested": None,
    }
    assert (there[names[1]]["tags"], there[names[1]]["nested"]) == (["x"], {"a": 1})
    assert there[names[2]]["archive"] == str(second)
    expected = embedder.embed([np.asarray(Image.open(io.BytesIO(each))) for each in content[:4]])
    np.testing.assert_allclose(list(by_key(tmp_path / "vectors").values()), expected, atol=5e-4)
    assert not (tmp_path.parent / "0.png").exists()


def test_members_that_do_not_fit_are_unreadable(tmp_path, content, embedder, reasons, monkeypatch):
    monkeypatch.setattr("keras_osnet.bulk.tar_source._HEAD", 2)
    archive = write_tar(
        tmp_path / "a.tar",
        [
            *sample("0", content[0], camera=1),
            *sample("1", content[1], camera=2),
            *sample("2", content[2], camera="x"),
            *sample("3", content[3], camera=3, more=1),
            ("4.png", content[4]),
            ("4.json", b"{"),
            ("5.png", b"no image"),
            *sample("6", content[5], camera=6),
        ],
    )
    result = embed_to_parquet(archive, tmp_path / "vectors", embedder)
    assert (result.vectors, result.unreadable) == (3, 4)
    assert rows(tmp_path / "vectors")["a.tar/6.png"]["camera"] == 6
    why = reasons(tmp_path / "vectors")
    assert why["a.tar/2.png"] == "`camera` of its JSON is no int64"
    assert "its JSON has `more`" in why["a.tar/3.png"]
    assert "its JSON is damaged" in why["a.tar/4.png"]
    assert "of no image format" in why["a.tar/5.png"]


@pytest.mark.parametrize(
    ("suffix", "place"), [(".tar", "half"), (".tar.gz", "half"), (".tar", "between")]
)
def test_an_archive_that_was_cut_off_is_read_up_to_there(
    tmp_path, content, embedder, reasons, suffix, place
):
    members = [member for index, each in enumerate(content) for member in sample(index, each, a=1)]
    archive = write_tar(tmp_path / f"a{suffix}", members)
    whole = archive.read_bytes()
    # A member's name is at the beginning of its header.
    archive.write_bytes(whole[: len(whole) // 2 if place == "half" else whole.index(b"5.png")])
    other = write_tar(tmp_path / f"b{suffix}", members[:2])
    result = embed_to_parquet([archive, other], tmp_path / "vectors", embedder)
    assert 1 < result.vectors < 8
    assert f"b{suffix}/0.png" in rows(tmp_path / "vectors")
    assert list(reasons(tmp_path / "vectors")) == [archive.name]
    assert "the archive is damaged after " in reasons(tmp_path / "vectors")[archive.name]
    # Once it is whole, the rest of it is embedded.
    archive.write_bytes(whole)
    embed_to_parquet([archive, other], tmp_path / "vectors", embedder, resume=True)
    assert len(rows(tmp_path / "vectors")) == 7


def test_archives_that_are_refused(tmp_path, content, embedder):
    (tmp_path / "more").mkdir()
    good = write_tar(tmp_path / "a.tar", [("0.png", content[0])])
    same = write_tar(tmp_path / "more" / "a.tar", [("0.png", content[0])])
    mixed = write_tar(
        tmp_path / "b.tar", [*sample("0", content[0], a=1), *sample("1", content[0], a="x")]
    )
    none = write_tar(tmp_path / "c.tar", [("0.txt", b"")])
    broken = tmp_path / "d.tar"
    broken.write_bytes(b"no archive" * 100)
    for source, message in [
        ([good, same], "differ in their names.*a.tar twice"),
        (mixed, "gives `a` values of several types"),
        (none, "no image in the archive. Received"),
        (broken, "no image in the archive: the archive is damaged at its beginning"),
    ]:
        with pytest.raises(ValueError, match=message):
            embed_to_parquet(source, tmp_path / "vectors", embedder)


# --- videos --------------------------------------------------------------------------------------


@pytest.fixture
def video(tmp_path):
    """Write a video of 20 frames of one color each, its frame's number times 10."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "camera.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        frame = np.full((48, 64, 3), number * 10, np.uint8)
        frame[:, :32, 2] = 250 - number * 10  # red, as OpenCV has BGR
        writer.write(frame)
    writer.release()
    return path


def test_boxes_in_a_video(video, make_list, tmp_path, embedder, by_key, reasons):
    boxes = make_list(
        "frame,left,top,right,bottom,person\n"
        "7,0,0,32,48,a\n2,32,0,64,48,b\n7,32,0,64,48,c\n7,70,0,80,48,d\n25,0,0,9,9,e\n"
    )
    result = embed_to_parquet(video, tmp_path / "vectors", embedder, boxes=boxes)
    assert (result.vectors, result.unreadable) == (3, 2)
    vectors = by_key(tmp_path / "vectors")
    assert list(vectors) == ["camera.avi:2:0", "camera.avi:7:0", "camera.avi:7:1"]
    left = np.full((48, 32, 3), 70, np.uint8)
    left[..., 0] = 180
    expected = embedder.embed(
        [np.full((48, 32, 3), 20, np.uint8), left, np.full((48, 32, 3), 70, np.uint8)]
    )
    np.testing.assert_allclose(list(vectors.values()), expected, atol=0.05)  # JPEG's colors
    row = rows(tmp_path / "vectors")["camera.avi:7:0"]
    assert row == {
        "frame": 7,
        "left": 0,
        "top": 0,
        "right": 32,
        "bottom": 48,
        "person": "a",
        "box": [0, 0, 32, 48],
        "video": str(video),
    }
    why = reasons(tmp_path / "vectors")
    assert why["camera.avi:25:0"] == "the video ends after 20 frames"
    assert "holds no pixel" in why["camera.avi:7:2"]
    again = embed_to_parquet(video, tmp_path / "vectors", embedder, boxes=boxes, resume=True)
    assert (again.vectors, again.skipped) == (0, 5)


def test_videos_that_are_refused(video, make_list, tmp_path, embedder):
    for text, message in [
        ("left,top,right,bottom\n0,0,1,1\n", "needs the columns frame, left"),
        ("frame,left,top,right,bottom\n-1,0,0,1,1\n", "`frame` must hold whole numbers"),
        ("frame,left,top,right,bottom\n1.5,0,0,1,1\n", "`frame` must hold whole numbers"),
        ("frame,left,top,right,bottom\n", "no rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            embed_to_parquet(video, tmp_path / "vectors", embedder, boxes=make_list(text))
    video.write_bytes(b"no video")
    boxes = make_list("frame,left,top,right,bottom\n0,0,0,1,1\n")
    with pytest.raises(ValueError, match="OpenCV cannot read the video"):
        embed_to_parquet(video, tmp_path / "vectors", embedder, boxes=boxes)


def test_without_opencv_the_error_says_how_to_install_it(
    make_list, tmp_path, embedder, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    boxes = make_list("frame,left,top,right,bottom\n0,0,0,1,1\n")
    with pytest.raises(ImportError, match=r"opencv-python-headless.*keras-osnet\[video\]"):
        embed_to_parquet(tmp_path / "0.png", tmp_path / "vectors", embedder, boxes=boxes)
