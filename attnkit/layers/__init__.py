"""I layer: attenzione multi-head, la sua cache, RMSNorm e SwiGLU; come moduli di torch.

============  ===================================================================
multi_head    MultiHeadAttention: MHA, GQA e MQA con lo stesso codice
cache         KVCache: key e value dei token già visti
gruppi        da un layer MHA a uno GQA, facendo la media delle head
norma         RMSNorm
feed_forward  SwiGLU
============  ===================================================================
"""

from attnkit.layers.cache import KVCache
from attnkit.layers.feed_forward import SwiGLU
from attnkit.layers.gruppi import group_kv_heads
from attnkit.layers.multi_head import MultiHeadAttention
from attnkit.layers.norma import RMSNorm

__all__ = ["KVCache", "MultiHeadAttention", "RMSNorm", "SwiGLU", "group_kv_heads"]
