"""How many floating point operations an update needs, and what share of the device's peak that is (MFU)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Dense bfloat16 peaks in FLOP/s, from the makers' data sheets; the first name found in the device's name counts.
PEAK_FLOPS: dict[str, float] = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "V100": 125e12,
    "T4": 65e12,
}


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes of a decoder that its number of operations depends on."""

    num_parameters: int  # of the matrix products: all but the input embedding, the output head included
    num_layers: int
    hidden_size: int


def training_flops(size: ModelSize, lengths: Iterable[int], *, frozen: bool = False) -> float:
    """Operations of one forward and backward pass over sequences of so many tokens.

    A token costs 6 operations a parameter, and 12·layers·hidden·n/2 for attention to the n/2 tokens it sees on average
    (arXiv:2204.02311 appendix B, for causal attention). Recomputation is not counted, nor are passes for the reference
    or π_old: MFU's convention.

    Args:
        frozen: with adapters the weights' own gradients are not computed: 4 operations a parameter instead of 6.
    """
    per_parameter = 4 if frozen else 6
    return sum(n * (per_parameter * size.num_parameters + 6 * size.num_layers * size.hidden_size * n) for n in lengths)


def peak_flops(device_name: str) -> float | None:
    """FLOP/s in bfloat16 of a GPU by its name, such as "NVIDIA H100 80GB HBM3"; None where it is not known."""
    return next((peak for name, peak in PEAK_FLOPS.items() if name in device_name), None)


def mfu(flops: float, seconds: float, peak: float) -> float:
    """Model FLOPs utilisation: the share, in [0, 1], of the device's peak that the model's own operations used."""
    return flops / seconds / peak
