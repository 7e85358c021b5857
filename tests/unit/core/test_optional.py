"""A package that an extra installs: looked for without importing it, missed in one line."""

from __future__ import annotations

import sys

import pytest

from mars2.core.errors import MissingPackage
from mars2.core.optional import need


def test_a_missing_package_is_named_with_what_needs_it_and_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingPackage) as error:
        need("no_such_package", "train", "policies.a.backend transformers")
    assert str(error.value) == (
        "policies.a.backend transformers: no_such_package is not installed; pip install 'mars2[train]'"
    )


def test_a_package_that_is_there_is_found_without_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    need("this", "train", "a poem")
    assert "this" not in sys.modules
