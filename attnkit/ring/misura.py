"""Una corsa dell'anello, vista da un rank: i suoi tensori, il tempo, i byte spediti, la memoria, il confronto."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from attnkit.attention import Causal, Full, attention
from attnkit.ring.anello import ring_attention
from attnkit.ring.disposizione import LAYOUTS, shard, unshard
from attnkit.shapes import divides, positive_int

DENSE = 10 ** 12              # il confronto con l'attenzione densa si fa fino a queste operazioni: 4 · Hq · Dh · T²


@dataclass(frozen=True)
class Report:
    """Com'è andata a un rank."""

    rank: int
    seconds: float            # il giro più breve, attese comprese
    sent: int                 # byte spediti in un giro
    own: int                  # byte delle sue q, k e v
    peak: int | None          # byte aggiunti dal primo giro, nel momento peggiore; None dove non si sanno leggere: serve Linux, o CUDA
    total: int | None         # byte di tutto il processo in quel momento, torch compreso; su CUDA, solo i tensori
    error: float | None       # la differenza più grande dall'attenzione densa; None se il confronto non si è fatto


@dataclass(frozen=True)
class Run:
    """Che cosa si corre: gli argomenti di `launch`, controllati."""

    tokens: int
    ranks: int
    heads: int = 8
    kv_heads: int | None = None
    head_dim: int = 64
    layout: str = "zigzag"
    causal: bool = True
    backward: bool = False
    threads: int = 1
    timeout: float = 60
    check: bool = True
    rounds: int = 1
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if self.kv_heads is None:
            object.__setattr__(self, "kv_heads", self.heads)
        for name in ("tokens", "ranks", "heads", "kv_heads", "head_dim", "threads", "rounds"):
            positive_int(name, getattr(self, name))
        divides("kv_heads", self.kv_heads, "heads", self.heads)
        for name, known in (("layout", LAYOUTS), ("device", ("cpu", "cuda"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: mi aspettavo uno fra {', '.join(known)}, ho trovato {getattr(self, name)!r}")
        slices = 2 * self.ranks if self.causal and self.layout == "zigzag" else self.ranks
        if self.tokens % slices:
            raise ValueError(f"tokens: con {self.ranks} rank e layout={self.layout!r} mi aspettavo un multiplo di {slices}, ho trovato {self.tokens}")
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout: mi aspettavo un numero positivo di secondi, ho trovato {self.timeout}")

    @property
    def checked(self):
        """True se il confronto con l'attenzione densa è chiesto, e sta nei limiti."""
        return self.check and 4 * self.heads * self.head_dim * self.tokens ** 2 <= DENSE

    @property
    def calls(self):
        """Quante volte ogni rank dice di essere andato avanti: due per passo, e una per head nel confronto."""
        turn = 2 * self.ranks + (2 * self.ranks + 1 if self.backward else 0)
        return self.kv_heads * (turn * self.rounds + self.checked)

    def tensors(self, rank, tokens=None):
        """Query, key e value di un rank, e il gradiente della sua uscita: numeri a caso, che ognuno genera per sé."""
        generator = torch.Generator().manual_seed(2 ** 16 * self.seed + rank)
        return [torch.randn(1, heads, tokens or self.tokens // self.ranks, self.head_dim, generator=generator).to(self.device)
                for heads in (self.heads, self.kv_heads, self.kv_heads, self.heads)]


def measure(run, rank, watch):
    """Corre in questo processo, con il gruppo già aperto, e restituisce un `Report`. A ogni progresso chiama `watch()`."""
    torch.set_num_threads(run.threads)
    _once(run, run.tensors(rank, tokens=2), lambda sent: None)            # ciò che si alloca una volta sola
    tensors, sent, seconds = run.tensors(rank), [], []

    def count(nbytes):
        sent.append(nbytes)
        watch()

    before = _memory(run.device, "VmRSS")
    for number in range(run.rounds):
        dist.barrier()
        start = time.perf_counter()
        results = _once(run, tensors, count)
        seconds.append(time.perf_counter() - start)
        if number == 0:
            total = _memory(run.device, "VmHWM")
    error = _difference(run, rank, results, watch) if run.checked else None
    dist.barrier()
    peak = None if before is None else total - before
    return Report(rank, min(seconds), sum(sent) // run.rounds, sum(t.nbytes for t in tensors[:3]), peak, total, error)


def _once(run, tensors, watch):
    """Un giro: l'uscita e, se servono, i gradienti di q, k e v."""
    inputs = [t.detach().requires_grad_(run.backward) for t in tensors[:3]]
    output = ring_attention(*inputs, causal=run.causal, layout=run.layout, watch=watch)
    results = [output.detach(), *(torch.autograd.grad(output, inputs, tensors[3]) if run.backward else ())]
    if run.device == "cuda":
        torch.cuda.synchronize()
    return results


def _memory(device, field):
    """VmRSS: i byte occupati adesso, e il picco riparte da qui. VmHWM: il picco. None dove non si sanno leggere."""
    if device == "cuda":
        if field == "VmHWM":
            return torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    try:
        if field == "VmRSS":
            Path("/proc/self/clear_refs").write_text("5")
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    except (OSError, StopIteration):
        return None
    return 1024 * int(line.split()[1])


def _difference(run, rank, results, watch):
    """La differenza più grande dall'attenzione densa. La calcola il rank 0, una head per volta, e dà a ciascuno la sua parte."""
    worst, group = 0.0, run.heads // run.kv_heads
    if rank == 0:
        whole = [unshard(shards, run.layout) for shards in zip(*(run.tensors(r) for r in range(run.ranks)))]
    for head in range(run.kv_heads):
        queries, key = slice(head * group, (head + 1) * group), slice(head, head + 1)
        mine = [t[:, heads].contiguous() for t, heads in zip(results, (queries, queries, key, key))]
        if rank == 0:
            inputs = [t[:, heads].requires_grad_(run.backward) for t, heads in zip(whole, (queries, key, key))]
            dense = attention(*inputs, Causal() if run.causal else Full())
            dense = [dense.detach(), *(torch.autograd.grad(dense, inputs, whole[3][:, queries]) if run.backward else ())]
        for n, ours in enumerate(mine):
            expected = torch.empty_like(ours)
            dist.scatter(expected, [shard(dense[n], r, run.ranks, run.layout).contiguous() for r in range(run.ranks)] if rank == 0 else None)
            worst = max(worst, (ours - expected).abs().max().item())
        watch()
    return worst
