"""Register the package's Keras classes once Keras is imported, without importing Keras.

`keras.saving.load_model` looks a class up among the registered ones, and imports modules of Keras's
own packages only. So whichever of `import keras` and `import keras_osnet` comes first, the classes
have to be registered by the end of the second.
"""

import importlib
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_KERAS = "keras"


def register_with_keras(packages: Sequence[str]) -> None:
    """Import packages that register Keras classes: now if Keras is imported, else right after it.

    It is the last statement of the package's `__init__`. Calling it again (`importlib.reload`)
    replaces the finder of an earlier call.

    Args:
        packages: Full names of the packages.
    """
    _mark_complete(sys.modules[__name__.partition(".")[0]])
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if type(finder).__name__ != KerasFinder.__name__
    ]
    if sys.modules.get(_KERAS) is not None:
        _import_all(packages)
    else:
        sys.meta_path.insert(0, KerasFinder(packages))


class KerasFinder:
    """Finds `keras` as the other finders do, and has the packages imported after it.

    It removes itself once Keras has been imported; an import of Keras that fails leaves it in
    place.
    """

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages
        self._searching = threading.local()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the other finders' spec of `keras`, with a loader that registers; else None."""
        # Another package's hook may call all finders in turn, this one included.
        if name != _KERAS or getattr(self._searching, "active", False):
            return None
        self._searching.active = True
        try:
            spec = self._spec_of_others(path, target)
        finally:
            self._searching.active = False
        if spec is not None and hasattr(spec.loader, "exec_module"):
            self._register_after(spec.loader)
        return spec

    def _spec_of_others(self, path: Any, target: Any) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(_KERAS, path, target)
                if spec is not None:
                    return spec
        return None

    def _register_after(self, loader: Any) -> None:
        """Make this one loader import the packages after it has executed the module."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            del loader.exec_module  # the loader is as it was
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _mark_complete(module)
            try:
                _import_all(self._packages)
            except Exception as error:  # which is no reason for Keras not to be imported
                warnings.warn(
                    f"keras_osnet could not register its classes with Keras: {error!r}",
                    stacklevel=2,
                )

        loader.exec_module = exec_module


def _import_all(packages: Sequence[str]) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except RuntimeError as error:
            # Another thread imports it and waits for this one: it registers the classes itself.
            if type(error).__name__ != "_DeadlockError":
                raise


def _mark_complete(module: ModuleType) -> None:
    """Release a module that has been executed, but is still being imported, to other threads.

    A thread that imports our packages at the same time would wait for this import to end, and this
    one for our packages.
    """
    if module.__spec__ is not None:
        module.__spec__._initializing = False  # type: ignore[attr-defined]
