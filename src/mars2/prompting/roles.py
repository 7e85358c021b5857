"""Role prompts as editable text files, so that agents on one policy can differ in what they try."""

from __future__ import annotations

import difflib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from mars2.core.errors import ConfigError


def role_names() -> list[str]:
    """Names of the roles that ship with the package, in alphabetical order."""
    return sorted(f.name.removesuffix(".md") for f in _folder().iterdir() if f.name.endswith(".md"))


def load_role(name_or_path: str) -> str:
    """The role prompt called `name_or_path`, or the text of that file ("" gives no role).

    A text with a path separator or a file ending is a path. To write your own role, copy a shipped one.

    Raises:
        ConfigError: no such role or file, or the file is empty or is not UTF-8 text.
    """
    if not name_or_path:
        return ""
    if "/" in name_or_path or "\\" in name_or_path or Path(name_or_path).suffix:
        return _read_file(Path(name_or_path))
    names = role_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        raise ConfigError(f'role: no role named "{name_or_path}"; {hint}use one of {", ".join(names)}, or a file path')
    return (_folder() / f"{name_or_path}.md").read_text(encoding="utf-8").strip()


def _folder() -> Traversable:
    return resources.files("mars2.prompting") / "roles"


def _read_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"role: {path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ConfigError(
            f"role: {path}: {reason}; give a readable text file or one of {', '.join(role_names())}"
        ) from None
    if not text:
        raise ConfigError(f"role: {path} is empty; write the role prompt in it, or leave the role out")
    return text
