"""I layer: attenzione multi-head, la sua cache, RMSNorm; come moduli di torch.

============  ===================================================================
multi_head    MultiHeadAttention: MHA, GQA e MQA con lo stesso codice
cache         KVCache: key e value dei token già visti
gruppi        da un layer MHA a uno GQA, facendo la media delle head
norma         RMSNorm
============  ===================================================================
"""

from attnkit.layers.cache import KVCache
from attnkit.layers.gruppi import group_kv_heads
from attnkit.layers.multi_head import MultiHeadAttention
from attnkit.layers.norma import RMSNorm

__all__ = ["KVCache", "MultiHeadAttention", "RMSNorm", "group_kv_heads"]
