"""Read HDF5 in a process of its own.

HDF5's library is not made for files that are damaged or made to do harm: a changed byte can make it
take all memory, or never end. Here that is the end of a process that has limits, and an error. What
the process gives back is a new file of the same arrays, with nothing else in it.
"""

import contextlib
import io
import math
import os
import subprocess
import sys
from typing import Any

EXPANSION = 100
"""Bytes that a byte of a file may stand for: Keras does not compress, but others may have."""
_SECONDS = 30
_PROCESSOR_SECONDS = 5
_MEMORY = 1 << 30


def checked_hdf5(content: bytes) -> bytes:
    """Return an HDF5 file of the same groups, arrays and simple attributes.

    Raises:
        ValueError: The file is damaged, refers to other files or to itself, has arrays that are
            none of numbers, or larger ones than it can hold.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        return copied(content)  # an application without an interpreter to start
    command = [sys.executable, "-P", "-m", __name__]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
            timeout=_SECONDS + len(content) / 1e6,
        )
    except subprocess.TimeoutExpired:
        raise ValueError("HDF5 does not come to an end with it") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"HDF5 fails with it (status {done.returncode})")
    return done.stdout


def copied(content: bytes) -> bytes:
    """Return what `checked_hdf5` does, in this process."""
    import h5py

    copy = io.BytesIO()
    total = 0
    with h5py.File(io.BytesIO(content), "r") as file, h5py.File(copy, "w") as new:
        groups, seen = [("", file)], set()
        while groups:
            parent, group = groups.pop()
            address = h5py.h5o.get_info(group.id).addr
            if address in seen:
                raise ValueError(f"the group {parent or '/'} is inside of itself")
            seen.add(address)
            for key in group:
                name = f"{parent}/{key}" if parent else key
                link = group.get(key, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(f"{name} is a link ({type(link).__name__})")
                item = group[key]
                if isinstance(item, h5py.Group):
                    groups.append((name, item))
                    _copy_attributes(item, new.create_group(name))
                elif isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise ValueError(f"the numbers of {name} are in another file")
                    if item.shape is None or item.dtype.kind not in "biufV":
                        raise ValueError(f"{name} is no array of numbers")
                    total += math.prod(item.shape) * item.dtype.itemsize
                    if total > EXPANSION * len(content):
                        raise ValueError(
                            f"its arrays are of {total:,} bytes and more, and the file only of "
                            f"{len(content):,}"
                        )
                    _copy_attributes(item, new.create_dataset(name, data=item[()]))
    return copy.getvalue()


def _copy_attributes(item: Any, new: Any) -> None:
    for name, value in item.attrs.items():
        if isinstance(value, str | int | float):
            new.attrs[name] = value


def main() -> None:
    """Copy the file of the standard input to the standard output."""
    content = sys.stdin.buffer.read()
    if sys.platform != "win32":
        import resource

        limits = {
            resource.RLIMIT_AS: _MEMORY + 2 * EXPANSION * len(content),
            resource.RLIMIT_CPU: _PROCESSOR_SECONDS + len(content) // 5_000_000,
            resource.RLIMIT_CORE: 0,
        }
        for kind, limit in limits.items():
            soft, hard = resource.getrlimit(kind)
            if soft == resource.RLIM_INFINITY or soft > limit:
                with contextlib.suppress(ValueError, OSError):  # not every system has every limit
                    resource.setrlimit(kind, (limit, hard))
    try:
        copy = copied(content)
    except Exception as error:  # h5py raises errors of every class
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
    sys.stdout.buffer.write(copy)


if __name__ == "__main__":
    main()
