"""Sets of files on plain bytes: what a kill at any step leaves, and two processes at once."""

import subprocess
import sys
import threading

import pytest

from keras_osnet._utils.file_set import complete, replaced_together

SETS = [
    ("m.tflite", "m.tflite.json"),
    ("m.onnx", "m.onnx.json"),
    ("m.xml", "m.bin", "m.xml.json"),
    ("m.onnx", "m.onnx.json", "m.onnx.metadata.json", "m.reid.yml"),
]

KILLED = """
import os, sys
from pathlib import Path
import shutil
from keras_osnet._utils.file_set import replaced_together

last, target, names = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
steps = 0

def counted(module, name):
    function = getattr(module, name)
    def run(*args, **kwargs):
        global steps
        steps += 1
        if steps == last:
            os._exit(9)
        return function(*args, **kwargs)
    setattr(module, name, run)

for name in ("rename", "replace", "mkdir", "rmdir"):
    counted(os, name)
counted(shutil, "rmtree")
with replaced_together(target, names) as folder:
    for name in names:
        counted_write = (folder / name).write_bytes
        steps += 1
        if steps == last:
            os._exit(9)
        counted_write(b"new")
print(steps)
"""


def write(target, names, content):
    with replaced_together(target, names) as folder:
        for name in names:
            (folder / name).write_bytes(content)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("names", SETS, ids=lambda names: names[-1])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_files(tmp_path, names):
    outcomes = []
    for step in range(1, 100):
        folder = tmp_path / str(step)
        folder.mkdir()
        target = folder / names[0]
        write(target, names, b"old")
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(step), str(target), *names],
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            break
        assert done.returncode == 9, done.stderr
        complete(target)
        after = {name: (folder / name).read_bytes() for name in names}
        assert len(set(after.values())) == 1  # never an old one beside a new one
        outcomes.append(after[names[0]])
        # The next process that writes here sweeps everything that was left.
        write(target, names, b"third")
        assert contents(folder) == dict.fromkeys(names, b"third")
    assert outcomes == sorted(outcomes, reverse=True)  # first the old, then the new
    assert {b"old", b"new"} == set(outcomes)
    assert len(outcomes) >= 2 * len(names) + 3


def test_an_error_changes_nothing(tmp_path):
    names = SETS[2]
    write(tmp_path / "m.xml", names, b"old")
    with pytest.raises(TypeError):
        write(tmp_path / "m.xml", names, "no bytes")
    assert contents(tmp_path) == dict.fromkeys(names, b"old")


def test_several_writers_at_once(tmp_path):
    names = SETS[2]
    threads = [
        threading.Thread(target=write, args=(tmp_path / "m.xml", names, bytes([number])))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(contents(tmp_path).values())) == 1
    assert set(contents(tmp_path)) == set(names)


def test_names_of_the_greatest_length_and_other_letters(tmp_path):
    names = ("ä" * 124 + ".tflite", "ä" * 124 + ".bin")
    write(tmp_path / names[0], names, b"new")
    assert contents(tmp_path) == dict.fromkeys(names, b"new")


def test_only_files_of_the_name_are_moved(tmp_path):
    names = SETS[1]
    target = tmp_path / "m.onnx"
    with replaced_together(target, names) as folder:
        for name in (*names, ".bashrc", "model.onnx"):
            (folder / name).write_bytes(b"new")
    assert contents(tmp_path) == dict.fromkeys(names, b"new")


def test_folders_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        write(tmp_path / "no" / "m.onnx", SETS[1], b"new")
    (tmp_path / "m.onnx.json").mkdir()
    with pytest.raises(ValueError, match=r"not a folder.*m\.onnx\.json"):
        write(tmp_path / "m.onnx", SETS[1], b"new")
