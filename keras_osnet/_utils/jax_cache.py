"""JAX's cache of compiled programs on disk."""

import hashlib
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
from filelock import FileLock, Timeout

_MOST = 2**30
"""Bytes in the folder, after which JAX deletes what was not used for the longest time."""

_WAIT = 10
"""Seconds to wait for another process that uses the folder, as long as JAX waits."""


def cache_compiled_programs() -> None:
    """Keep the programs that JAX compiles in the user's cache folder, for later processes.

    They are in `keras-osnet/jax` of `$XDG_CACHE_HOME` (`~/.cache` by default), at most 1 GB. Not
    on other backends, nor where the user has named a folder (`JAX_COMPILATION_CACHE_DIR`) or
    disabled the cache (`JAX_ENABLE_COMPILATION_CACHE=false`), nor where the folder cannot be
    written. Several processes may use the folder at once: JAX locks it.
    """
    if keras.backend.backend() != "jax":
        return
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    config: Any = jax.config  # whose type annotations lack these options
    if config.jax_compilation_cache_dir or not config.jax_enable_compilation_cache:
        return
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "keras-osnet" / "jax" / _processor()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home folder
        return
    if not os.access(folder, os.W_OK):
        return
    if "JAX_COMPILATION_CACHE_MAX_SIZE" not in os.environ:
        jax.config.update("jax_compilation_cache_max_size", _MOST)
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # Also the small programs of which building, saving and evaluating need many.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if config.jax_compilation_cache_max_size != -1:  # without a limit JAX stores no times
        _remove_partial(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    compilation_cache.reset_cache()  # JAX looks at the options once, at its first program.


def _remove_partial(folder: Path) -> None:
    """Remove programs of processes that were killed while they wrote them.

    JAX writes the time of the last use after the program. Where a time is missing it stores no
    other program, and a partial program is read, refused and compiled again by every process.
    """
    with suppress(OSError, Timeout), FileLock(folder / ".lockfile", timeout=_WAIT):
        for program in folder.glob("*-cache"):
            if not program.with_name(f"{program.name.removesuffix('-cache')}-atime").exists():
                program.unlink()


def _processor() -> str:
    """Return a name of this processor: a program may use instructions that another lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    text = f"{platform.machine()} {features}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
