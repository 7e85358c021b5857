"""Concrete adapters are named in build/ only, as docs/architecture.md claims."""

from __future__ import annotations

from pathlib import Path

from source_tree import ClassInfo, classes, modules, names_used

ADAPTERS = ("backends", "lab", "learners", "problems", "prompting", "reward_model", "sandbox", "search", "store")
# Protocols of one method with a common name: no sign of an adapter.
CAPABILITIES = {"CanSleep", "CountsTokens", "HasTroubles", "ProblemSource"}
NOT_MADE = {"Strategy"}  # a base class; an isinstance check names it
MODELS = {"PolicyModel", "SftTrainer"}  # stand behind no seam, and load weights


def seams() -> dict[str, frozenset[str]]:
    """The methods and properties of each protocol in core/protocols.py, inherited ones included."""
    found: dict[str, frozenset[str]] = {}
    for info in classes():
        if info.file == Path("core/protocols.py") and "Protocol" in info.bases:
            found[info.name] = info.members.union(*(found.get(base, frozenset()) for base in info.bases))
    return {name: members for name, members in found.items() if members and name not in CAPABILITIES}


def implementations() -> list[ClassInfo]:
    """Public classes of the adapters that have every method of a seam, themselves or by a base class."""
    by_name = {info.name: info for info in classes()}

    def members(info: ClassInfo) -> frozenset[str]:
        bases = (by_name[base] for base in info.bases if base in by_name and base != info.name)
        return info.members.union(*(members(base) for base in bases))

    return [
        info
        for info in classes()
        if info.file.parts[0] in ADAPTERS and not info.name.startswith("_") and info.name not in NOT_MADE
        if info.name in MODELS or any(seam <= members(info) for seam in seams().values())
    ]


def test_the_adapters_of_every_kind_are_found() -> None:
    names = {info.name for info in implementations()}
    expected = {"AbMcts", "TransformersBackend", "ZygoteSandbox", "TorchLearner", "ChatPrompter", "RunStore"}
    assert expected | {"TransformersRewardModel"} <= names


def test_concrete_classes_are_named_in_build_only() -> None:
    named: dict[str, set[str]] = {}
    concrete = implementations()
    for file, tree in modules().items():
        used = names_used(tree)
        found = {
            info.name for info in concrete if info.name in used and file.parts[0] not in ("build", info.file.parts[0])
        }
        if found:
            named[str(file)] = found
    assert not named
