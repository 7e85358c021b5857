"""Starts a worker: `python -s -P -S .../worker 3` with a connected socket as descriptor 3."""

from __future__ import annotations

import os
import sys
import types


def _load_package() -> str:
    """Register this folder as a package of its own, so that neither `mars2` nor its dependencies are imported."""
    package = types.ModuleType("mars2_worker")
    package.__path__ = [os.path.dirname(os.path.realpath(__file__))]
    sys.modules[package.__name__] = package
    return package.__name__


if __name__ == "__main__":
    import importlib

    importlib.import_module(_load_package() + ".supervisor.startup").main(int(sys.argv[1]))
