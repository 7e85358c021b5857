"""How values become bytes in a run file: JSON, compressed. Prompts repeat themselves, so level 1 already does well."""

from __future__ import annotations

import json
import zlib
from typing import Any

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def pack(data: Any) -> bytes:
    """`data` is JSON-safe, as `core.serial` makes it."""
    return zlib.compress(_encoder.encode(data).encode(), 1)


def unpack(payload: bytes) -> Any:
    return json.loads(zlib.decompress(payload))
