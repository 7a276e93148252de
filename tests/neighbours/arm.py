"""Run exported `.tflite` files by LiteRT's build for Arm (aarch64), and compare with this machine.

    apt-get install qemu-user-static  # Debian or Ubuntu, as root; the rest needs no rights
    python tests/neighbours/arm.py osnet.tflite osnet_int8.tflite

QEMU emulates a Cortex-A76, the large core of phones of 2019, one instruction at a time; how long it
takes says nothing about a phone. Debian's Python for arm64 and LiteRT's wheel are put into a
temporary folder, or into the one that `KERAS_OSNET_NEIGHBOURS` names, which keeps them.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from environments import run_process
from numpy.typing import NDArray

from keras_osnet.data.images import read_image
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_person

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "scripts/embed_with_litert.py"

CPU = "cortex-a76"
"""It has the dot product of int8, as phones have. Not `max`: QEMU 7.2 (Debian 12) computes wrong
results with the matrix extension SME (cosine 0.34 with an int8 file), QEMU 10.0 right ones."""

_CPUINFO = """\
processor\t: 0
Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0b
CPU revision\t: 1
"""
"""`/proc/cpuinfo` of a Cortex-A76. LiteRT reads it, and crashes with that of another architecture,
which the emulated program would see."""

_DEBIAN = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
_PIP = ("numpy", "pillow", "filelock")
_PLATFORMS = tuple(f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 17))


@dataclass(frozen=True)
class Comparison:
    """Embeddings of one file on Arm and on this machine.

    Attributes:
        file: Name of the file.
        lowest_cosine: Of the images.
        largest_difference: Of all numbers of the embeddings.
        exact: Number of images whose embeddings differ by less than 1e-6.
    """

    file: str
    lowest_cosine: float
    largest_difference: float
    exact: int


class ArmPython:
    """Python with LiteRT for aarch64, and the emulator that runs it.

    Args:
        folder: Where it is, or is made; an existing one is used again.

    Raises:
        FileNotFoundError: The emulator or Debian's tools are not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._qemu = program("qemu-aarch64-static", "qemu-aarch64", package="qemu-user-static")
        self._root = folder / "root"
        self._site = folder / f"site-{version('ai-edge-litert')}"
        complete = self._site / "complete"
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            self._unpack_debian(folder / "apt")
            self._install_wheels()
            complete.touch()

    def run(self, *arguments: str | Path, **variables: str) -> str:
        """Run Python in the emulator and return its standard output."""
        python = self._root / "usr/bin/python3"
        command = [self._qemu, "-cpu", CPU, "-L", self._root, python, *arguments]
        return run_process(command, timeout=1800, **variables)

    def embed(self, file: Path, images: Path) -> dict:
        """Run a file on images (n, height, width, 3) of a `.npy`; return what the script prints."""
        path = os.pathsep.join([str(ROOT), str(self._site)])
        return json.loads(self.run(SCRIPT, file, images, PYTHONPATH=path).splitlines()[-1])

    def _unpack_debian(self, folder: Path) -> None:
        """Unpack packages for arm64, and those that they need, without installing them."""
        apt, dpkg = program("apt-get"), program("dpkg-deb")
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()  # nothing is installed, so that all that is needed is taken
        options = {
            "APT::Architecture": "arm64",
            "APT::Architectures::": "arm64",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Dir::State": folder,
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
        }
        own = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        run_process([apt, *own, "--error-on=any", "update"])
        run_process([apt, *own, "install", "--yes", "--download-only", *_DEBIAN])
        for package in (folder / "archives").glob("*.deb"):
            run_process([dpkg, "-x", package, self._root])
        # The emulator takes files of its root before those of this machine.
        (self._root / "proc").mkdir(exist_ok=True)
        (self._root / "proc/cpuinfo").write_text(_CPUINFO, "utf-8")

    def _install_wheels(self) -> None:
        number = self.run("-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
        chosen = ["--target", self._site, "--only-binary=:all:", "--python-version", number]
        litert = f"ai-edge-litert=={version('ai-edge-litert')}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        run_process([*pip, *chosen, *platforms, litert, *_PIP], timeout=1800)


def compare(arm: ArmPython, file: Path, images: NDArray) -> Comparison:
    """Embed images, (n, height, width, 3), with a file on Arm and on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "images.npy"), images)
        result = arm.embed(file, Path(folder, "images.npy"))
    assert result["machine"] == "aarch64", result
    there, here = np.array(result["vectors"]), Embedder(file).embed(list(images))
    differences = np.abs(there - here).max(axis=1)
    return Comparison(
        file.name,
        float((there * here).sum(axis=1).min()),
        float(differences.max()),
        int((differences < 1e-6).sum()),
    )


def program(*names: str, package: str | None = None) -> str:
    """Return the first program that is installed, or raise FileNotFoundError."""
    for name in names:
        if found := shutil.which(name):
            return found
    cure = f"; install it with: apt-get install {package}" if package else ""
    raise FileNotFoundError(f"{names[0]} is not installed{cure}. Received: PATH without it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", help="`.tflite` files of embeddings")
    parser.add_argument("--images", type=Path, help="a folder; by default, 64 synthetic people")
    arguments = parser.parse_args()
    if arguments.images is None:
        images = np.stack([synthetic_person(30_000 + i, i % 4, 0) for i in range(64)])
    else:
        chosen = sorted(each for each in arguments.images.rglob("*") if each.is_file())[:64]
        images = np.stack([read_image(each, (256, 128)) for each in chosen])
    kept = os.environ.get("KERAS_OSNET_NEIGHBOURS")
    with tempfile.TemporaryDirectory() as temporary:
        arm = ArmPython(Path(kept or temporary, "arm"))
        print(f"LiteRT {version('ai-edge-litert')}, {len(images)} images")
        print(f"{'file':32} {'lowest cosine':>13} {'largest difference':>18} {'< 1e-6':>6}")
        for file in arguments.files:
            each = compare(arm, file, images)
            print(
                f"{each.file:32} {each.lowest_cosine:13.6f} {each.largest_difference:18.1e} "
                f"{each.exact:6}"
            )


if __name__ == "__main__":
    try:
        main()
    except (FileNotFoundError, pytest.skip.Exception, pytest.fail.Exception) as error:
        sys.exit(str(error))
