"""La ring attention: attenzione densa ed esatta, con la sequenza divisa fra più processi messi in anello.

=============  ==================================================================
disposizione   quali token tiene ogni rank: contiguous, zigzag, striped
simulazione    l'anello in un processo solo, con il resoconto di ogni passo
vicini         a chi serve ogni blocco, e come lo si passa
anello         l'anello su processi veri, con torch.distributed
misura         una corsa vista da un rank: tempo, byte spediti, memoria, confronto
corsa          i processi, su questa macchina o con torchrun
=============  ==================================================================
"""

from attnkit.ring.anello import ring_attention
from attnkit.ring.corsa import launch
from attnkit.ring.disposizione import LAYOUTS, places, shard, unshard
from attnkit.ring.misura import Report
from attnkit.ring.simulazione import Simulation, Step, simulate

__all__ = ["LAYOUTS", "Report", "Simulation", "Step", "launch", "places", "ring_attention", "shard", "simulate", "unshard"]
