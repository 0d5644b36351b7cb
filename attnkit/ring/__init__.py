"""La ring attention: attenzione densa ed esatta, con la sequenza divisa fra più processi messi in anello.

=============  ==================================================================
disposizione   quali token tiene ogni rank: contiguous, zigzag, striped
simulazione    l'anello in un processo solo, con il resoconto di ogni passo
anello         l'anello su processi veri, con torch.distributed
=============  ==================================================================
"""

from attnkit.ring.anello import ring_attention
from attnkit.ring.disposizione import LAYOUTS, places, shard, unshard
from attnkit.ring.simulazione import Simulation, Step, simulate

__all__ = ["LAYOUTS", "Simulation", "Step", "places", "ring_attention", "shard", "simulate", "unshard"]
