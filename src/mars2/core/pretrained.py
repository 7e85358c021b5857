"""Loads Hugging Face weights and tokenizers for whoever needs them; what is wrong with them is told in one line.

`transformers` itself is brought along by the caller, so that this room stays light. Code that comes with a model is not
run (`trust_remote_code`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mars2.core.errors import ConfigError


def load_model(auto: Any, model: str | Path, **options: Any) -> Any:
    """A model of the class `auto` (such as AutoModelForCausalLM), whole and with finite weights.

    Raises:
        ConfigError: it cannot be loaded, weights are missing in its files, or one holds NaN or infinity.
    """
    try:
        loaded, found = auto.from_pretrained(str(model), output_loading_info=True, trust_remote_code=False, **options)
    except Exception as error:  # whatever loading may raise: the user needs one line of it
        raise _unloadable(model, error, config="config.json") from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise ConfigError(
            f"model {str(model)!r}: its files hold no weights for {_some(missing)}; download it anew, or save it whole"
        )
    for name, parameter in loaded.named_parameters():
        if parameter.dtype.itemsize > 1 and not parameter.isfinite().all().item():  # of 8 bits: quantised
            raise ConfigError(
                f"model {str(model)!r}: {_file_of(Path(model), name)} holds NaN or infinite numbers ({name}); download "
                "or train it anew"
            )
    return loaded


def load_tokenizer(auto: Any, model: str | Path) -> Any:
    """The tokenizer of a model; `auto` is AutoTokenizer.

    Raises:
        ConfigError: it cannot be loaded, or has several chat templates and none to use.
    """
    try:
        tokenizer = auto.from_pretrained(str(model), trust_remote_code=False)
    except Exception as error:  # as above
        raise _unloadable(model, error, config="tokenizer_config.json") from error
    templates: Any = tokenizer.chat_template
    if not isinstance(templates, str | None) and "default" not in templates:
        raise ConfigError(
            f"model {str(model)!r}: its tokenizer has the chat templates {_some(list(templates))} and no default; "
            "name one of them default"
        )
    if not len(tokenizer):
        raise ConfigError(f"model {str(model)!r} has no tokenizer; save one into its folder")
    return tokenizer


def _unloadable(model: str | Path, error: Exception, *, config: str) -> ConfigError:
    reason = str(error)
    if "trust_remote_code" in reason:
        return ConfigError(
            f"model {str(model)!r}: its {config} needs code that comes with the model (trust_remote_code), which is "
            "not run; use a model that transformers itself knows"
        )
    reason = next((line.strip() for line in reason.splitlines() if line.strip()), type(error).__name__)
    return ConfigError(f"model {str(model)!r} cannot be loaded ({reason}); give a whole Hugging Face folder or id")


def _file_of(folder: Path, parameter: str) -> str:
    """The file that holds a parameter, as far as that can be told."""
    for index in folder.glob("*.index.json"):
        files = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {})
        if parameter in files:
            return str(files[parameter])
    return next((file.name for file in folder.glob("model.safetensors")), "it")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def render_chat(tokenizer: Any, messages: list[dict[str, str]], *, asks: bool) -> str:
    """The text of a conversation under the tokenizer's chat template.

    A template that refuses system messages, or leaves their text out, gets it at the head of the first user message.

    Args:
        asks: the text ends where the model's answer begins.

    Raises:
        ConfigError: the template fails.
    """
    system = [m["content"].strip() for m in messages if m["role"] == "system"]
    try:
        text: str = tokenizer.apply_chat_template(messages, add_generation_prompt=asks, tokenize=False)
        if all(said in text for said in system):
            return text
    except Exception as error:  # of the template: its language is jinja, its errors are its own
        if not system:
            raise _failed(tokenizer, error) from error
    try:
        return tokenizer.apply_chat_template(without_system(messages), add_generation_prompt=asks, tokenize=False)
    except Exception as error:
        raise _failed(tokenizer, error) from error


def without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with every system text at the head of the first user message."""
    system = [m["content"] for m in messages if m["role"] == "system"]
    others = [m for m in messages if m["role"] != "system"]
    first = next((place for place, m in enumerate(others) if m["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": "\n\n".join(system)}, *others]
    joined = "\n\n".join(filter(None, (*system, others[first]["content"])))
    return [*others[:first], {"role": "user", "content": joined}, *others[first + 1 :]]


def _failed(tokenizer: Any, error: Exception) -> ConfigError:
    reason = re.sub(r"\s+", " ", str(error)) or type(error).__name__
    return ConfigError(f"the chat template of {tokenizer.name_or_path!r} fails: {reason}; mend chat_template.jinja")
