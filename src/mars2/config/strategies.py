"""Search strategies as they are named on a command line, such as `treequest:ABMCTSA`."""

from __future__ import annotations

from typing import Any

import yaml

from mars2.core.errors import ConfigError


def parse_strategy(text: str) -> dict[str, Any]:
    """The `search` section that `text` stands for, not yet checked.

    `text` is the name of a strategy, then settings as KEY=VALUE, all joined by colons. After `treequest` comes the name
    of its algorithm, and the settings are that algorithm's options.

        ab_mcts                             {"strategy": "ab_mcts"}
        ab_mcts:posterior=gaussian          {"strategy": "ab_mcts", "posterior": "gaussian"}
        treequest:ABMCTSA                   {"strategy": "treequest", "algorithm": "ABMCTSA"}
        treequest:ABMCTSA:dist_type=beta    … and "options": {"dist_type": "beta"}

    Raises:
        ConfigError: a part that is not a setting; unknown names and keys are found when the configuration is checked.
    """
    name, *parts = text.split(":")
    section: dict[str, Any] = {"strategy": name}
    settings = section
    if name == "treequest":
        if parts and "=" not in parts[0]:
            section["algorithm"] = parts.pop(0)
        if parts:
            settings = section["options"] = {}
    for part in parts:
        key, sign, value = part.partition("=")
        if not sign or not key:
            raise ConfigError(
                f"strategy: {text!r} has {part!r}; after the name come settings such as posterior=gaussian"
            )
        settings[key] = _value(text, value)
    return section


def _value(text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"strategy: {text!r} has {value!r}, which is not YAML; quote it") from None
