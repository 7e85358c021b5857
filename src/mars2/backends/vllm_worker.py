"""Runs inside vLLM's worker processes: the part of a weight reload that vLLM 0.32 leaves out on a CPU."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any


class RepackOutput:
    """A `worker_extension_cls`: its methods become methods of vLLM's worker, for `collective_rpc`."""

    model_runner: Any

    def repack_output_layer(self) -> None:
        """Give the output layer the weights that it shares with the embedding (tied embeddings).

        When vLLM loads a model on a CPU it packs each layer's weights for the matrix products. A reload packs anew what
        it finds in the checkpoint, where a tied output layer has no weights: it would go on computing with old ones.
        """
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

        for layer in self.model_runner.get_model().modules():
            if isinstance(layer, ParallelLMHead):
                layer.quant_method.process_weights_after_loading(layer)
