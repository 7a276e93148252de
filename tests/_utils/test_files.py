"""Files are regular when read, and whole when written."""

import errno
import json
import math
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from keras_osnet._utils import files
from keras_osnet._utils.files import (
    atomic_path,
    check_regular,
    open_regular,
    parse_json,
    read_bytes,
    read_json,
    sweep_temporaries,
    temporary_folder,
    temporary_path,
    write_json,
)
from keras_osnet.training.run_folder import RunFolder, State


@contextmanager
def no_file_larger_than(size):
    """Every write beyond the size fails, as on a full disk."""
    _, hard = soft_hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft_hard)


def test_named_pipes_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link").symlink_to(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match="named pipe"), atomic_path(tmp_path / "pipe.json"):
        pass
    for path, kind in (
        (tmp_path / "pipe.json", "named pipe"),
        (tmp_path / "link", "named pipe"),
        ("/dev/zero", "device"),
        (tmp_path, "folder"),
    ):
        for read in (check_regular, open_regular, lambda path: read_bytes(path, 1)):
            with pytest.raises(ValueError, match=f"not a {kind}. Received: {path}"):
                read(path)
    with pytest.raises(ValueError, match="named pipe"):
        read_json(tmp_path / "pipe.json")
    with pytest.raises(FileNotFoundError, match="absent"):
        open_regular(tmp_path / "absent")


def test_no_more_is_read_than_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(ValueError, match=f"4 bytes that are read at most. Received: {path}"):
        read_bytes(path, 4)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[]", "3", "", "{", '{"a": 1' + "0" * 5000 + "}"]
)
def test_json_that_holds_no_object(tmp_path, text):
    with pytest.raises(ValueError, match=r"x\.json is damaged"):
        parse_json(text, "x.json")
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"x.json is damaged: .*Received: {path}"):
        read_json(path)


def test_json_in_another_encoding(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes("{}".encode("utf-16"))
    assert read_json(path) == {}
    path.write_bytes('{"é": 1}'.encode("cp1252"))
    with pytest.raises(ValueError, match=f"x.json is damaged: .*Received: {path}"):
        read_json(path)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "x.weights.h5"
    with atomic_path(path) as temporary:
        assert temporary.name.endswith(".weights.h5")
        assert temporary.name.startswith(".keras-osnet-")
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        _write_half(temporary, KeyboardInterrupt)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path, error):
    path.write_text("half")
    raise error


def test_the_errors_of_writing_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"), atomic_path(tmp_path / "a" / "b"):
        pass
    with pytest.raises(IsADirectoryError, match=str(tmp_path)), atomic_path(tmp_path):
        pass
    path = tmp_path / "x.json"
    with pytest.raises(PermissionError) as caught, atomic_path(path) as temporary:
        raise PermissionError(errno.EACCES, "Permission denied", str(temporary))
    assert str(path) in str(caught.value)
    assert ".keras-osnet" not in str(caught.value)


@pytest.mark.parametrize("name", ["é" * 125 + ".json", "x" * 250 + ".json", "a." * 125 + "json"])
def test_the_longest_names(tmp_path, name):
    path = tmp_path / name
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    with pytest.raises(OSError, match="name too long"), atomic_path(tmp_path / f"x{name * 2}"):
        pytest.fail("nothing is computed for a file that cannot be written")


def test_a_full_disk_names_the_file_its_size_and_what_to_do(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": "old"})
    with no_file_larger_than(1000), pytest.raises(OSError, match="too large") as caught:
        write_json(path, {"a": "x" * 100_000})
    message = str(caught.value)
    assert f"{path} is not complete after 1,000 bytes" in message
    assert "Free some space there, or choose another folder (TMPDIR" in message
    assert message.endswith(f"Received: {path}")
    assert read_json(path) == {"a": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_that_a_library_reports_in_its_own_words(tmp_path):
    path = tmp_path / "x"
    for inner in (OSError(errno.ENOSPC, "full"), RuntimeError("I/O: No space left on device")):
        with pytest.raises(OSError, match="No space left on device") as caught, atomic_path(path):
            raise RuntimeError("the library failed") from inner
        assert caught.value.errno == errno.ENOSPC
        assert str(path) in str(caught.value)


_KILLED = """
import os, sys
from pathlib import Path
from keras_osnet._utils.files import atomic_path, temporary_path
folder = Path(sys.argv[1])
temporary_path(folder / "folder").mkdir()
with atomic_path(folder / "x.weights.h5") as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 2
    own, kept = temporary_path(tmp_path / "own.keras"), tmp_path / ".keras-osnet-notes"
    old = tmp_path / ".keras-osnet-00000000-1-00000000.keras"
    elsewhere = tmp_path / ".keras-osnet-00000001-1-00000000.keras"
    for path in (own, kept, old, elsewhere):
        path.write_text("")
    os.utime(old, (time.time() - 8 * 24 * 3600,) * 2)
    with atomic_path(tmp_path / "other") as temporary:
        temporary.write_text("")
    assert set(tmp_path.iterdir()) == {own, kept, elsewhere, tmp_path / "other"}
    sweep_temporaries(tmp_path, alone=True)
    assert set(tmp_path.iterdir()) == {own, kept, tmp_path / "other"}
    sweep_temporaries(tmp_path / "absent")


def test_a_folder_of_many_files_is_not_listed_for_each(tmp_path, monkeypatch):
    listed = []
    monkeypatch.setattr(files, "sweep_temporaries", listed.append)
    for number in range(20):
        write_json(tmp_path / f"{number}.json", {})
    assert listed == [tmp_path]


def test_leftovers_of_an_earlier_process_of_the_same_number(tmp_path):
    """Process 1 of a container that is started again."""
    own = temporary_path(tmp_path / "x")
    earlier = own.with_name(own.name[:-8] + "0" * 8)
    earlier.write_text("")
    sweep_temporaries(tmp_path)
    assert not earlier.exists()


def test_a_temporary_folder(tmp_path):
    with temporary_folder(tmp_path / "a.xml") as folder:
        (folder / "a.bin").write_text("")
        (folder / "a.bin").replace(tmp_path / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    with no_file_larger_than(1000), pytest.raises(OSError, match="after 1,003 bytes") as caught:
        _fill(tmp_path / "a.xml")
    assert str(caught.value).endswith(f"Received: {tmp_path / 'a.xml'}")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_full_disk_inside_of_another_is_explained_once(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    wanted = pytest.raises(OSError, match=f"Received: {inner}$")
    with wanted, temporary_folder(outer), atomic_path(inner):
        raise OSError(errno.ENOSPC, "full")


def _fill(target):
    with temporary_folder(target) as folder:
        (folder / "a.bin").write_text("abc")
        (folder / "a.xml").write_text("x" * 2000)


def test_json_is_valid_and_shows_in_every_terminal(tmp_path):
    value = {
        "nan": float("nan"),
        "all": [float("inf"), 1.5, None],
        "name": "a\udcff\x9b\u202e\x1b×",
    }
    text = files.json_text(value)
    assert not files.UNPRINTABLE.search(text)
    assert "×" in text
    assert files.json_text(value, ascii_only=True).isascii()

    def refuse(constant):
        raise AssertionError(constant)

    expected = {"nan": None, "all": [None, 1.5, None], "name": value["name"]}
    assert json.loads(text, parse_constant=refuse) == expected
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == expected


def test_a_metric_that_is_not_a_number_comes_back_as_one(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.open({}):
        folder.write_state(State(tested=True, test={"top_5_error": float("nan"), "error": 0.5}))
    test = folder.read_state().test
    assert math.isnan(test["top_5_error"])
    assert test["error"] == 0.5
