"""Public names that are imported on first use (PEP 562)."""

import dis
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def attach(package: str) -> tuple[Callable, Callable, list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for a package.

    Its public names are those that its `__init__` imports from within keras_osnet, apart from
    `_utils`; under `if TYPE_CHECKING:`, where type checkers and editors find them, and from where
    they are imported here on first use.

    Where a public function and a file of the package share a name (`complexity`), the package
    always gives the function, even after the file has been imported as a submodule.

    Args:
        package: The package's `__name__`.
    """
    homes = _imported_names(package)
    names = sorted(homes)

    class Package(ModuleType):
        """A package whose public names are not replaced by submodules of the same name."""

        def __setattr__(self, name: str, value: Any) -> None:
            if isinstance(value, ModuleType) and name in homes:
                if homes[name] != package and value.__name__ != homes[name]:
                    return
                value = vars(value).get(name, value)
            super().__setattr__(name, value)

    def __getattr__(name: str) -> Any:  # noqa: N807 - becomes the package's own
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return names

    sys.modules[package].__class__ = Package
    return __getattr__, __dir__, names


def _imported_names(package: str) -> dict[str, str]:
    """Return the module of each name that a package's code imports from within keras_osnet.

    Read from the compiled code, because applications that are frozen into one file have no source.
    """
    loader: Any = sys.modules[package].__loader__
    homes, module = {}, ""
    for instruction in dis.get_instructions(loader.get_code(package)):
        if instruction.opname == "IMPORT_NAME":
            module = instruction.argval
        elif instruction.opname == "IMPORT_FROM":
            homes[instruction.argval] = module
    return {
        name: module
        for name, module in homes.items()
        if module.startswith("keras_osnet")
        and not module.startswith("keras_osnet._utils")
        and not name.startswith("_")
    }
