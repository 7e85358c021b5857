"""What an extra installs is looked for here, so that a missing package is one line with one wording everywhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from mars2.core.errors import MissingPackage


def need(package: str, extra: str, what: str) -> None:
    """Refuse to go on without `package`, which ``pip install 'mars2[extra]'`` brings. Nothing is imported.

    Args:
        package: the name it is imported by.
        what: what needs it, as the user wrote it: ``policies.a.backend transformers``.

    Raises:
        MissingPackage: it is not installed.
    """
    found = sys.modules[package] if package in sys.modules else find_spec(package)
    if found is None:
        raise MissingPackage(f"{what}: {package} is not installed; pip install 'mars2[{extra}]'")
