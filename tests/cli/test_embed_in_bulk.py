"""`keras-osnet embed` with a folder as output."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_onnx import write_tiny_onnx

from keras_osnet.data import list_images
from keras_osnet.runtime import Embedder

pytest.importorskip("pyarrow")

COMMAND = (
    sys.executable,
    "-c",
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
    "from keras_osnet.cli import main; main()",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = write_tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")
    return ("--weights", file, "--pixel-range", "0-1")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "vectors"


def read(folder):
    from keras_osnet.bulk import VectorDataset

    dataset = VectorDataset(folder)
    keys = [key for batch in dataset.batches(["key"]) for key in batch.column(0).to_pylist()]
    return dict(zip(keys, dataset.vectors(), strict=True))


@pytest.mark.parametrize("name", ["vectors", "vectors.parquet", "new/vectors/"])
def test_a_folder(run, people, model, tmp_path, name):
    result = run("embed", people, "-o", f"{tmp_path}/{name}", *model)
    assert result.stdout.startswith(f"Wrote {tmp_path / name}: 12 vectors of 8, ")
    assert result.stdout.endswith("/s, by onnxruntime on cpu\n")
    vectors = read(tmp_path / name)
    files = list_images(people)
    assert list(vectors) == [file.name for file in files]
    expected = Embedder(model[1], pixel_range="0-1", verify=False).embed(files)
    np.testing.assert_allclose(list(vectors.values()), expected, atol=5e-4)


def test_shards_and_resuming(run, people, model, output):
    run("embed", people, "-o", output, *model, "--shard", "1/2", "--dtype", "float32")
    some = len(read(output))
    assert 0 < some < 12
    error = run("embed", people, "-o", output, *model, "--dtype", "float32", code=1).stderr
    assert "holds vectors already (part-1-of-2-000000.parquet); --resume embeds only" in error
    assert f"Received: {output}" in error
    result = run("embed", people, "-o", output, *model, "--resume", "--dtype", "float32")
    assert f": {12 - some} vectors of 8, {some} were there, " in result.stdout
    assert len(read(output)) == 12


def test_a_list_with_inputs_that_cannot_be_read(run, people, model, output, tmp_path):
    name = list_images(people)[0].name
    table = tmp_path / "list.csv"
    table.write_text(f"path,camera\n{people}/{name},1\ngone.png,2\n")
    result = run("embed", table, "-o", output, *model)
    assert "1 vectors of 8" in result.stdout
    assert f"1 inputs could not be read ({output}/_unreadable):" in result.stderr
    assert "  gone.png: No such file or directory" in result.stderr
    error = run("embed", table, "-o", tmp_path / "strict", *model, "--strict", code=1).stderr
    assert "1 inputs could not be read" in error
    assert len(read(tmp_path / "strict")) == 1
    table.write_text("path\ngone.png\n")
    error = run("embed", table, "-o", tmp_path / "none", *model, code=1).stderr
    assert "gone.png" in error


def test_usage_errors(run, people, model, output, tmp_path):
    npz = tmp_path / "vectors.npz"
    for option in (["--resume"], ["--shard", "1/2"], ["--dtype", "float16"], ["--boxes", model[1]]):
        error = run("embed", people, "-o", npz, *model, *option, code=2).stderr
        assert f"{option[0]} needs a folder as --output" in error
    for option in (["--engine", "keras"], ["--list", model[1]]):
        error = run("embed", people, "-o", output, *model, *option, code=2).stderr
        assert f"{option[0]} {'keras ' if 'keras' in option else ''}needs a file" in error
    error = run("embed", people, "-o", npz, *model, "--engine", "ray", code=2).stderr
    assert "--engine ray needs a folder as --output" in error
    for shard in ("0/2", "3/2", "1", "a/b"):
        error = run("embed", people, "-o", output, *model, "--shard", shard, code=2).stderr
        assert f"must be like 1/3, 2/3 and 3/3. Received: {shard}" in error
    error = run("embed", people, people, "-o", output, *model, code=1).stderr
    assert "IMAGES must be one folder, one list" in error
    error = run("embed", model[1], "-o", output, *model, code=1).stderr
    assert "IMAGES must be a folder, a list (.csv, .tsv, .parquet), tar files" in error
    npz.mkdir()
    assert "is a folder" in run("embed", people, "-o", npz, *model, code=2).stderr
    assert not output.exists()


@pytest.mark.large
def test_ctrl_c_loses_nothing_and_says_how_to_go_on(people, model, output, tmp_path):
    table = tmp_path / "list.csv"
    files = [str(file) for file in list_images(people)]
    lines = [f"{index},{files[index % 12]}" for index in range(100_000)]
    table.write_text("\n".join(["key,path", *lines]))
    command = [*COMMAND, "embed", table, "-o", output, *model]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    while not (output / ".lock-1-of-1").exists():
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    there = len(read(output))
    assert 0 < there < 100_000
    assert f"{there:,} crops are embedded and in {output}. The same command with --resume" in error
