"""Finding the images in a folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.text import SHOWN, shorten
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.images import NEEDS_HEIC, readable_suffixes

_SYSTEM = frozenset(
    {
        "@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle", "#snapshot", "__macosx",
        "$recycle.bin", "system volume information", "lost+found", "thumbs.db", "ehthumbs.db",
        "desktop.ini", "picasa.ini", "icon\r",
    }
)  # fmt: skip
"""Files and folders, in lower case, that systems and storage devices make for themselves."""

_NOTES = frozenset(
    {
        ".csv", ".tsv", ".txt", ".md", ".json", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml",
        ".ini", ".log", ".parquet", ".mat", ".npy", ".npz", ".pdf", ".py", ".ipynb", ".sh",
    }
)  # fmt: skip
"""Endings of labels and notes beside images, which nobody takes for images."""

_HEIC = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})

_BROKEN = "a link that leads nowhere"


@dataclass(frozen=True)
class FoundImages:
    """What is in a folder.

    Attributes:
        folder: The folder.
        paths: The images, sorted by the part after `folder`.
        left_out: Other files, folders without an image, and links that lead nowhere, with the
            reason for each; without system files and notes.
    """

    folder: Path
    paths: list[Path]
    left_out: dict[Path, str]

    def describe(self) -> str:
        """Return a sentence that counts and names the files that were left out."""
        names = {
            path.relative_to(self.folder).as_posix(): reason
            for path, reason in self.left_out.items()
        }
        return f"{len(names):,} left out of {self.folder}: {describe_reasons(names)}."


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """List all images in a folder and its subfolders, in the same order on every machine.

    An image is a file that ends, in any case, as a format that `read_image` reads: .jpg, .png,
    .tif, .gif, .avif, .jp2 and others, with the extra `keras-osnet[heic]` .heic too. Links are
    followed, each folder once. Hidden files and folders ("._photo.jpg") and those of systems
    ("@eaDir", "__MACOSX", "Thumbs.db") are skipped, as are notes (.csv, .txt, …). A warning counts
    and names everything else that is left out, folders without an image among them.

    Args:
        folder: The folder to search.

    Returns:
        Paths that begin with `folder`, sorted by the part after it.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: `folder` is a file.
        PermissionError: A subfolder may not be read.
        ValueError: There are no images in it; the message names what else there is.
    """
    found = find_images(folder)
    if found.left_out:
        warn_user(found.describe())
    return found.paths


def find_images(folder: str | os.PathLike[str]) -> FoundImages:
    """Find the images in a folder as `list_images` does, without a warning.

    Raises:
        OSError, ValueError: As `list_images`.
    """
    root, names, left_out = _found(folder)
    return FoundImages(root, [root / name for name in names], left_out)


def image_names(folder: str | os.PathLike[str]) -> list[str]:
    """Return the images of `list_images` as text, from the folder on, in the same order.

    Millions of paths would take several times the memory.

    Raises:
        OSError, ValueError: As `list_images`.
    """
    root, names, left_out = _found(folder)
    if left_out:
        warn_user(FoundImages(root, [], left_out).describe())
    return names


def _found(folder: str | os.PathLike[str]) -> tuple[Path, list[str], dict[Path, str]]:
    """Return the folder, the sorted names of the images in it, and what is left out and why."""
    root = path_of("folder", folder)
    if not root.exists():
        raise FileNotFoundError(f"`folder` does not exist. Received: {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"`folder` must be a folder. Received: {root}")
    search = _Search(root)
    # As text, because paths themselves compare differently on Windows.
    names, left_out = sorted(search.images), dict(sorted(search.left_out.items()))
    if not names:
        others = f" {FoundImages(root, [], left_out).describe()}" if left_out else ""
        raise ValueError(
            "`folder` holds no images (.jpg, .png, .tif, .webp or another format that Pillow "
            f"reads).{others} Received: {root}"
        )
    return root, names, left_out


def describe_reasons(reasons: Mapping[str, str]) -> str:
    """Return names with their reasons: "a.heic, b.heic (no plug-in); c (empty)"."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    groups = [f"{shorten(names)} ({reason})" for reason, names in by_reason.items()]
    more = sum(len(names) for names in list(by_reason.values())[SHOWN:])
    return "; ".join(groups[:SHOWN]) + (f" and {more:,} more" if more else "")


def is_system_name(name: str) -> bool:
    """Return whether a file or folder of this name is hidden or made by a system for itself."""
    return name.startswith(".") or name.lower() in _SYSTEM


def is_image_name(name: str) -> bool:
    """Return whether `list_images` lists a file of this name."""
    return not is_system_name(name) and _ending(name) in readable_suffixes()


class _Search:
    """Search a folder for images, each subfolder once, so that links may form loops."""

    def __init__(self, root: Path) -> None:
        self.images: list[str] = []
        self.left_out: dict[Path, str] = {}
        self._root = root
        self._folders: list[str] = []
        self._seen: set[tuple[int, int]] = set()
        # Real folders first, wherever they are: a link is another name for one of them.
        links = self._folder("")
        while links:
            links += self._folder(links.pop(0))
        holding = {name[:end] for name in self.images for end in _ends(name)}
        for name in self._folders:
            if name not in holding and name.rpartition("/")[0] in {"", *holding}:
                self.left_out[root / name] = "no image in it"

    def _folder(self, name: str) -> list[str]:
        """Search a folder and the real ones below it; return the links to others."""
        links: list[str] = []
        waiting = [name]
        while waiting:
            name = waiting.pop()
            status = (self._root / name).stat()
            if (status.st_dev, status.st_ino) in self._seen:
                self.left_out[self._root / name] = "a link to a folder that is searched already"
                continue
            self._seen.add((status.st_dev, status.st_ino))
            if name:
                self._folders.append(name)
            with os.scandir(self._root / name) as entries:
                for entry in entries:
                    if is_system_name(entry.name):
                        continue
                    below = f"{name}/{entry.name}" if name else entry.name
                    try:
                        if entry.is_dir():
                            (links if entry.is_symlink() else waiting).append(below)
                        else:
                            self._file(entry, below)
                    except OSError:  # a link to itself
                        self.left_out[self._root / below] = _BROKEN
        return sorted(links)

    def _file(self, entry: "os.DirEntry[str]", name: str) -> None:
        ending = _ending(entry.name)
        if ending in _NOTES:
            return
        if not entry.is_file():
            broken = entry.is_symlink() and not Path(entry.path).exists()
            reason = _BROKEN if broken else "not a regular file"
        elif ending in readable_suffixes():
            self.images.append(name)
            return
        else:
            reason = NEEDS_HEIC if ending in _HEIC else "no image format that is read"
        self.left_out[self._root / name] = reason


def _ending(name: str) -> str:
    """Return the ending of a file's name, from its last dot on, in lower case."""
    before, dot, ending = name.lower().rpartition(".")
    return dot + ending if before else ""


def _ends(name: str) -> list[int]:
    """Return where the names of the folders end that an image is in."""
    return [place for place, letter in enumerate(name) if letter == "/"]
