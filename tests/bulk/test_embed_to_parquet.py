import sys
from pathlib import Path

import filelock
import numpy as np
import pytest
from tiny_onnx import write_tiny_onnx

from keras_osnet.bulk import VectorDataset, embed_to_parquet
from keras_osnet.data import list_images
from keras_osnet.runtime import Embedder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vectors"


def parts(folder):
    return sorted(file.name for file in folder.glob("part-*"))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 5e-4), ("float32", 1e-6)])
def test_a_folder(crops, folder, embedder, by_key, dtype, tolerance):
    done = []
    result = embed_to_parquet(
        crops, folder, embedder, dtype=dtype, progress=lambda *each: done.append(each)
    )
    assert (result.vectors, result.unreadable, result.skipped) == (100, 0, 0)
    assert done == [(32, 0.32), (64, 0.64), (96, 0.96), (100, 1.0)]
    expected = embedder.embed_files(list_images(crops))
    vectors = by_key(folder)
    assert [crops / key for key in vectors] == expected.paths
    np.testing.assert_allclose(list(vectors.values()), expected.vectors, atol=tolerance)
    dataset = VectorDataset(folder)
    assert (len(dataset), dataset.dim, dataset.model) == (100, 8, embedder.digest)
    assert str(dataset.schema.field("vector").type) == (
        f"fixed_size_list<element: {'halffloat' if dtype == 'float16' else 'float'}>[8]"
    )
    first = next(dataset.batches(rows=1)).to_pylist()[0]
    assert first["path"] == str(crops / first["key"])
    assert first["model"] == embedder.digest


def test_readers_of_parquet_read_the_folder(crops, folder, embedder, tmp_path):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "bad.jpg").write_bytes(b"no image")
    (tmp_path / "crops" / "good.png").write_bytes((crops / "more" / "000.png").read_bytes())
    embed_to_parquet(tmp_path / "crops", folder, embedder)
    table = pytest.importorskip("pyarrow.parquet").read_table(folder)
    assert table.column("key").to_pylist() == ["good.png"]


def test_unreadable_inputs_are_named_and_not_tried_again(
    crops, folder, embedder, tmp_path, by_key, reasons
):
    copy = tmp_path / "crops"
    copy.mkdir()
    content = (crops / "more" / "000.png").read_bytes()
    (copy / "0.png").write_bytes(content)
    (copy / "1.png").write_bytes(content[:200])
    (copy / "2.png").write_bytes(b"")
    result = embed_to_parquet(copy, folder, embedder)
    assert (result.vectors, result.unreadable) == (1, 2)
    assert list(by_key(folder)) == ["0.png"]
    assert reasons(folder) == {"1.png": "image file is truncated", "2.png": "the file is empty"}
    (copy / "2.png").write_bytes(content)
    result = embed_to_parquet(copy, folder, embedder, resume=True)
    assert (result.vectors, result.unreadable, result.skipped) == (0, 0, 3)
    for part in (folder / "_unreadable").iterdir():
        part.unlink()
    result = embed_to_parquet(copy, folder, embedder, resume=True)
    assert (result.vectors, result.unreadable, result.skipped) == (1, 1, 1)


def test_shards_never_overlap_and_share_a_folder(crops, folder, embedder, by_key, tmp_path):
    counts = [
        embed_to_parquet(crops, folder, embedder, shard=(shard, 3)).vectors for shard in (3, 1, 2)
    ]
    assert sum(counts) == 100
    assert min(counts) > 20
    assert parts(folder) == [f"part-{shard}-of-3-000000.parquet" for shard in (1, 2, 3)]
    assert len(by_key(folder)) == 100
    # The same division elsewhere: a key decides, not its place or the machine.
    embed_to_parquet(crops / "more", tmp_path / "one", embedder, shard=(2, 3))
    embed_to_parquet(crops / "more", tmp_path / "all", embedder)
    assert len(by_key(tmp_path / "one")) < 80


def test_parts_are_written_as_they_are_full(crops, folder, embedder, by_key):
    embed_to_parquet(crops, folder, embedder, rows_per_part=40)
    assert parts(folder) == [f"part-1-of-1-00000{number}.parquet" for number in range(2)]
    assert len(by_key(folder)) == 100


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_is_resumed(crops, folder, embedder, by_key, error):
    def stop(done, _):
        if done > 60:
            raise error

    with pytest.raises(error):
        embed_to_parquet(crops, folder, embedder, rows_per_part=32, progress=stop)
    assert len(by_key(folder)) == 64
    with pytest.raises(ValueError, match=r"holds vectors already .*`resume=True`"):
        embed_to_parquet(crops, folder, embedder)
    # A resumed run may be divided in another way.
    for shard in (1, 2):
        result = embed_to_parquet(crops, folder, embedder, resume=True, shard=(shard, 2))
        assert result.skipped >= 64
    assert len(by_key(folder)) == 100


def test_only_whole_chunks_are_lost_but_ctrl_c_loses_none(crops, folder, embedder, by_key):
    def stop(done, _):
        if done > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_to_parquet(crops, folder, embedder, progress=stop)
    assert len(by_key(folder)) == 64


def test_vectors_of_another_model_are_refused(crops, folder, embedder, tmp_path):
    embed_to_parquet(crops, folder, embedder, shard=(1, 3))
    other = Embedder(write_tiny_onnx(tmp_path / "other.onnx", 1), pixel_range="0-1", verify=False)
    message = f"another model: .*{embedder.digest[:12]}.*not .*{other.digest[:12]}"
    for resume in (False, True):
        with pytest.raises(ValueError, match=message):
            embed_to_parquet(crops, folder, other, resume=resume, shard=(2, 3))


def test_other_columns_are_refused(crops, folder, embedder):
    embed_to_parquet(crops, folder, embedder)
    with pytest.raises(ValueError, match=r"`vector` is .*float.* now and was .*halffloat"):
        embed_to_parquet(crops, folder, embedder, dtype="float32", resume=True)
    table = folder.parent / "list.csv"
    table.write_text(f"path,camera\n{crops}/more/000.png,1\n")
    with pytest.raises(ValueError, match="`camera` is int64 now and was missing"):
        embed_to_parquet(table, folder, embedder, resume=True)


def test_one_process_a_shard_and_one_division_at_a_time(crops, folder, embedder):
    folder.mkdir()
    with filelock.FileLock(folder / ".lock-1-of-2"):
        with pytest.raises(BlockingIOError, match="Another process is writing shard 1 of 2"):
            embed_to_parquet(crops, folder, embedder, shard=(1, 2))
        with pytest.raises(BlockingIOError, match="one of 2 shards"):
            embed_to_parquet(crops, folder, embedder)
        embed_to_parquet(crops, folder, embedder, shard=(2, 2))
    embed_to_parquet(crops, folder, embedder, shard=(1, 2))
    assert len(VectorDataset(folder)) == 100


def test_arguments(crops, folder, embedder, tmp_path):
    wrong = {
        "dtype": "int8",
        "engine": "spark",
        "shard": (0, 2),
        "rows_per_part": 0,
        "resume": "yes",
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            embed_to_parquet(crops, folder, embedder, **{name: value})
    for shard in ((3, 2), "1/2", (1.0, 2)):
        with pytest.raises(ValueError, match="`shard` must be"):
            embed_to_parquet(crops, folder, embedder, shard=shard)
    with pytest.raises(FileNotFoundError, match="`images` does not exist"):
        embed_to_parquet(tmp_path / "no", folder, embedder)
    with pytest.raises(ValueError, match="`images` must be a folder, a list"):
        embed_to_parquet(crops / "more" / "000.png", folder, embedder)
    with pytest.raises(ValueError, match="only tar files may be several"):
        embed_to_parquet([crops, crops], folder, embedder)


def test_without_pyarrow_the_error_says_how_to_install_it(crops, folder, embedder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow.*keras-osnet\[parquet\]"):
        embed_to_parquet(crops, folder, embedder)
    assert not folder.exists()


def test_without_ray_the_error_says_how_to_install_it(crops, folder, embedder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"needs ray.*keras-osnet\[ray\]"):
        embed_to_parquet(crops, folder, embedder, engine="ray")


def test_reading(crops, folder, embedder):
    with pytest.raises(FileNotFoundError, match="`folder` must hold the vectors"):
        VectorDataset(folder)
    embed_to_parquet(crops, folder, embedder, rows_per_part=32)
    dataset = VectorDataset(folder)
    sizes = [batch.num_rows for batch in dataset.batches(["key"], rows=20)]
    assert sizes == [20, 12] * 3 + [4]
    assert dataset.vectors().shape == (100, 8)
    with pytest.raises(ValueError, match=r"`columns` must be of key, vector, .*'camera'"):
        next(dataset.batches(["camera"]))
    part = folder / parts(folder)[1]
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(ValueError, match=f"part of the data set is damaged.*{part.name}"):
        VectorDataset(folder)
    pytest.importorskip("pyarrow.parquet").write_table(
        pytest.importorskip("pyarrow").table({"key": ["a"]}), part
    )
    with pytest.raises(ValueError, match="has not written this file"):
        VectorDataset(folder)


def test_nothing_is_left_of_a_process_that_was_killed(crops, folder, embedder):
    folder.mkdir()
    leftover = folder / ".keras-osnet-00000000-1-00000000.parquet"
    leftover.write_bytes(b"half")
    embed_to_parquet(crops, folder, embedder)
    assert len(VectorDataset(folder)) == 100
    assert Path(leftover).exists()  # of another machine: it may be written to
