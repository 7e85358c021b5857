"""Configuration: YAML plus ``--set a.b=c``, checked by pydantic; every key is read by something."""

from mars2.config.load import load_config
from mars2.config.run import RunConfig

__all__ = ["RunConfig", "load_config"]
