"""How values become bytes in a run file: JSON, compressed. Prompts repeat themselves, so level 1 already does well."""

from __future__ import annotations

import json
import zlib
from typing import Any

from mars2.core.errors import StoreError

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def pack(data: Any) -> bytes:
    """`data` is JSON-safe, as `core.serial` makes it."""
    return zlib.compress(_encoder.encode(data).encode(), 1)


def unpack(payload: bytes) -> Any:
    """
    Raises:
        StoreError: `pack` never wrote that.
    """
    try:
        return json.loads(zlib.decompress(payload))
    except (zlib.error, TypeError, ValueError) as error:
        raise StoreError(f"the run's file is damaged ({error}); put back a copy of the run") from None
