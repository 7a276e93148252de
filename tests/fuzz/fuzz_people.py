"""Read damaged images, tables and folders of people, and watch what happens.

python tests/fuzz/fuzz_people.py --inputs 1000 --seed 0

Each kind gets `--inputs` inputs. Ends with status 1, and keeps the input, if anything but an error
of the package that names the file was raised, or if an input took longer than `--seconds`. A death
of the process is seen by its status. Runs on Linux.
"""

import argparse
import collections
import io
import os
import random
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from keras_osnet.data import ImageReadError, attributes_from_table, people_from_table, read_people
from keras_osnet.data.images import read_image
from keras_osnet.data.list_images import find_images
from keras_osnet.data.load_images import find_unreadable

PIXEL = b"P6 1 1 255\n\x80\x80\x80"
FORMATS = {
    "RGB": "JPEG PNG WEBP TIFF AVIF GIF BMP DIB PPM TGA JPEG2000 ICO ICNS PCX DDS IM SGI QOI MPO "
    "SPIDER EPS PDF",
    "CMYK": "JPEG TIFF",
    "P": "PNG GIF BLP",
    "LA": "PNG",
    "F": "TIFF",
    "1": "MSP XBM TIFF",
    "I;16": "PNG TIFF",
}
NAMES = (
    *("anna", "bert", "007", "7", "-1", "e\u0301", "\xe9", "\udcff", "train", "x.jpg", "@eaDir"),
    *(".git", "0001_c1s1_1.jpg", "0000_c2.png", "n.heic", "v.mp4", "n.txt", "noext"),
    f"{'9' * 25}_c1_.jpg",
)
INSERTED = (
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b";;",
    b"9" * 5000,
    b"\\",
)


def images() -> list[bytes]:
    """Return an image in every format that Pillow writes."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 40, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = []
    for mode, names in FORMATS.items():
        image = Image.fromarray(pixels)
        wide = Image.fromarray(pixels[..., 0].astype(np.uint16) << 8)
        image = wide if mode == "I;16" else image.convert(mode)
        for name in names.split():
            for options in ({}, {"exif": exif}, {"save_all": True, "append_images": [image]}):
                content = io.BytesIO()
                try:
                    image.save(content, format=name, **options)
                except Exception:  # this Pillow does not write it
                    continue
                seeds.append(content.getvalue())
    return seeds


def tables() -> list[bytes]:
    """Return tables of people and of attributes in several encodings, with several separators."""
    identities = ("anna", "7", "007", "-1", "B\xf6rt", "", " x")
    parts = ("train", "query", "gallery")
    people = [
        f"{row}.jpg,{identities[(row + shift) % 7]},{row % 2},{parts[row % 3]}"
        for shift in range(3)
        for row in range(6)
    ]
    clear = [f"{row}.jpg,person {row // 2},{row % 2 + 1},train" for row in range(6)]
    hats = [f"{row}.jpg,{('train', 'test')[row % 2]},{row % 2},1" for row in range(6)]
    header = "path,identity,camera,split"
    texts = [
        "\n".join((header, *people)),
        "\n".join((header, *clear)),
        "\n".join(("path,split,hat,bag", *hats)),
    ]
    return [
        text.replace(",", separator).replace("\n", end).encode(encoding)
        for text in texts
        for separator in ",;\t|"
        for end in ("\n", "\r\n", "\r")
        for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be", "utf-32")
    ]


def damage(content: bytes, choose: random.Random) -> bytes:
    """Change, cut, insert or repeat bytes, more often near the beginning."""
    data = bytearray(content)
    for _ in range(choose.choice((0, 1, 1, 2, 5, 20))):
        at = choose.randrange(min(len(data), choose.choice((64, 512, 1 << 20))) or 1)
        kind = choose.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([choose.randrange(256)])
        elif kind == 1 and data:
            data[at] ^= 1 << choose.randrange(8)
        elif kind == 2:
            del data[at : at + choose.randrange(1, 40)]
        elif kind == 3:
            data[at:at] = choose.choice(INSERTED)
        elif kind == 4:
            data[at : at + 4] = choose.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f")
            )
        elif kind == 5:
            del data[at:]
        else:
            data += data[at:]
    return bytes(data)


def grow(root: Path, choose: random.Random) -> None:
    """Make folders, images, links, loops and pipes below a folder."""
    folders, files = [root], []
    for _ in range(choose.randrange(1, 40)):
        path = choose.choice(folders) / choose.choice(NAMES)
        if os.path.lexists(path):
            continue
        kind = choose.randrange(8)
        if kind < 3:
            path.mkdir()
            folders.append(path)
        elif kind < 5:
            path.write_bytes(PIXEL)
            files.append(path)
        elif kind == 5:
            path.symlink_to(choose.choice([*folders, *files, Path("/nowhere"), path]))
        elif kind == 6:
            os.mkfifo(path)
        elif files:
            path.hardlink_to(choose.choice(files))


def try_all(readers: tuple[Callable, ...], path: Path, seconds: int) -> collections.Counter:
    """Call the readers, and raise what is no refusal that names the file."""
    outcomes: collections.Counter = collections.Counter()
    for read in readers:
        signal.alarm(seconds)
        try:
            read(path)
            outcomes["read"] += 1
        except (ImageReadError, ValueError, OSError) as error:
            if str(path) not in str(error):
                raise AssertionError(f"{path} is not named in: {error!r}") from error
            outcomes["refused"] += 1
        finally:
            signal.alarm(0)
    return outcomes


def hang(*_: object) -> None:
    """Handle the alarm."""
    raise AssertionError("it took too long")


def main() -> None:
    """Read the inputs and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, hang)
    warnings.simplefilter("ignore")
    choose = random.Random(options.seed)
    work = Path(tempfile.mkdtemp(prefix="fuzz-people-"))
    for row in range(6):
        (work / f"{row}.jpg").write_bytes(PIXEL)
    kinds = {"images": images(), "tables": tables(), "folders": []}
    for kind, seeds in kinds.items():
        outcomes: collections.Counter = collections.Counter()
        for _ in range(options.inputs):
            if kind == "folders":
                path = work / "folder"
                shutil.rmtree(path, ignore_errors=True)
                path.mkdir()
                grow(path, choose)
                readers: tuple[Callable, ...] = (find_images, read_people)
            else:
                path = work / ("image" if kind == "images" else "table.csv")
                path.write_bytes(damage(choose.choice(seeds), choose))
                readers = (people_from_table, attributes_from_table)
                if kind == "images":
                    readers = (
                        lambda file: read_image(file, (16, 8)),
                        lambda file: find_unreadable([file]),
                    )
            try:
                outcomes += try_all(readers, path, options.seconds)
            except BaseException:
                print(f"{kind}: the input is kept as {path}")
                raise
        print(f"{kind}: {options.inputs} inputs, {dict(outcomes)}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
