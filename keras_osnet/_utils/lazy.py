"""Public names that are imported on first use (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable, Callable, list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for a package.

    Where a public function and a file of the package share a name (`complexity`), the package
    always gives the function, even after the file has been imported as a submodule.

    Args:
        package: The package's `__name__`.
        homes: For each public name, the module that defines it. A module that does not
            define this name is public itself.
    """
    names = sorted(homes)

    class Package(ModuleType):
        """A package whose public names are not replaced by submodules of the same name."""

        def __setattr__(self, name: str, value: Any) -> None:
            if isinstance(value, ModuleType) and name in homes:
                if value.__name__ != homes[name]:
                    return
                value = vars(value).get(name, value)
            super().__setattr__(name, value)

    def __getattr__(name: str) -> Any:  # noqa: N807 - becomes the package's own
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = importlib.import_module(homes[name])
        value = (
            vars(home).get(name, home)
            if homes[name] == f"{package}.{name}"
            else getattr(home, name)
        )
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return names

    sys.modules[package].__class__ = Package
    return __getattr__, __dir__, names
