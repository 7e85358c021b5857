"""Which options may change when an interrupted job is resumed; each option says so itself."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from mars2.config.values import MAY_CHANGE, Job, Section


def changed_keys(old: Section, new: Section, job: Job) -> list[str]:
    """Dotted keys that differ although `job` may not be resumed with other values of them.

    A mark on a section frees all of it; without one, each of its options is asked. Where a section is of another
    kind, or missing, its own key is the one that differs.
    """
    return _changed(old, new, job, "")


def _changed(old: Any, new: Any, job: Job, where: str) -> list[str]:
    if old == new:
        return []
    if is_dataclass(old) and type(old) is type(new):
        return [
            key
            for field in fields(old)
            if job not in field.metadata.get(MAY_CHANGE, ())
            for key in _changed(getattr(old, field.name), getattr(new, field.name), job, _dotted(where, field.name))
        ]
    if isinstance(old, dict) and isinstance(new, dict):
        names: list[str] = list(dict.fromkeys([*old, *new]))  # pyright: ignore[reportUnknownArgumentType]
        return [
            key
            for name in names
            for key in (
                _changed(old[name], new[name], job, _dotted(where, name))
                if name in old and name in new
                else [_dotted(where, name)]
            )
        ]
    return [where]


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
