"""La ring attention è l'attenzione densa: su processi veri, con tutte le disposizioni, nei valori e nei gradienti."""

import itertools

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from attnkit.attention import Causal, Full, attention, fuso
from attnkit.ring import LAYOUTS, places, ring_attention, shard, simulate, unshard

TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def qkv(T, Hq=4, Hkv=2, Dh=3, B=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(B, H, T, Dh, generator=generator, dtype=torch.float64).to(dtype) for H in (Hq, Hkv, Hkv))


# Le disposizioni ------------------------------------------------------------------------------------

@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
def test_every_token_has_one_home(layout, ranks):
    for T in (1, 5, 16, 31, 64):
        held = places(T, ranks, layout)
        assert len(held) == ranks and sorted(torch.cat(held).tolist()) == list(range(T))
        assert all(p.tolist() == sorted(p.tolist()) for p in held)
        x = torch.randn(2, 3, T, 4)
        assert torch.equal(unshard([shard(x, r, ranks, layout) for r in range(ranks)], layout), x)


def test_the_layouts_by_hand():
    assert [p.tolist() for p in places(8, 2, "contiguous")] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [p.tolist() for p in places(8, 2, "zigzag")] == [[0, 1, 6, 7], [2, 3, 4, 5]]
    assert [p.tolist() for p in places(8, 2, "striped")] == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_bad_layouts_and_ranks():
    with pytest.raises(ValueError, match="contiguous, zigzag, striped, ho trovato 'tondo'"):
        places(8, 2, "tondo")
    with pytest.raises(ValueError, match="da 0 a 1, ho trovato 2"):
        shard(torch.zeros(1, 1, 4, 1), 2, 2)
    with pytest.raises(ValueError, match=r"parti lunghe \[2, 2\], ho trovato \[3, 1\]"):
        unshard([torch.zeros(1, 1, 3, 1), torch.zeros(1, 1, 1, 1)])


# La simulazione -------------------------------------------------------------------------------------

@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("Hkv", [1, 2, 4])
def test_the_simulation_is_dense_attention(layout, causal, Hkv):
    for ranks, T in itertools.product(range(1, 9), (1, 7, 16, 29)):
        q, k, v = qkv(T, Hkv=Hkv)
        run = simulate(q, k, v, ranks=ranks, causal=causal, layout=layout)
        torch.testing.assert_close(run.output, attention(q, k, v, Causal() if causal else Full()), **TIGHT)
        assert sum(step.pairs for step in run.steps) == (Causal() if causal else Full()).edges(T) and len(run.steps) == ranks * ranks
        assert [(s.step, s.rank, s.holds) for s in run.steps] == [(n, r, (r - n) % ranks) for n in range(ranks) for r in range(ranks)]


def test_who_waits_at_eight_ranks():
    """facts: con otto rank e blocchi da 64 l'efficienza è circa 53, 99 e 100 %."""
    q, k, v = qkv(512, Hq=1, Hkv=1, B=1)
    efficiency = {layout: simulate(q, k, v, ranks=8, layout=layout).efficiency for layout in LAYOUTS}
    assert round(100 * efficiency["contiguous"], 1) == 53.4 and round(100 * efficiency["striped"], 1) == 98.7
    assert efficiency["zigzag"] > 0.98


# I processi -----------------------------------------------------------------------------------------

def on_a_rank(rank, ranks, folder, plain):
    """Tutti i casi, in un processo solo: avviare un processo costa più dei conti."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/incontro", rank=rank, world_size=ranks)
    if plain:
        fuso.has_lse = lambda q: False
    for layout, causal, Hkv in itertools.product(LAYOUTS, (True, False), (1, 2, 4)):
        whole = [t.requires_grad_() for t in qkv(24, Hkv=Hkv)]
        direction = torch.randn(2, 4, 24, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        expected = attention(*whole, Causal() if causal else Full())
        gradients = torch.autograd.grad(expected, whole, direction)
        mine = [shard(t.detach(), rank, ranks, layout).requires_grad_() for t in whole]
        output = ring_attention(*mine, causal=causal, layout=layout)
        torch.testing.assert_close(output, shard(expected, rank, ranks, layout), **TIGHT)
        for ours, theirs in zip(torch.autograd.grad(output, mine, shard(direction, rank, ranks, layout)), gradients):
            torch.testing.assert_close(ours, shard(theirs, rank, ranks, layout), rtol=1e-9, atol=1e-9)
    if ranks > 1:
        with pytest.raises(ValueError, match="I rank devono avere le stesse misure: il rank 0 ha .* il rank 1 ha"):
            ring_attention(*qkv(4 + 2 * rank))
        with pytest.raises(ValueError, match="numero pari di token per rank, ne ho trovati 3"):
            ring_attention(*qkv(3))
    dist.destroy_process_group()


@pytest.mark.parametrize("ranks, plain", [(1, False), (2, False), (4, False), (2, True)])
def test_on_real_processes_like_dense_attention(ranks, plain, tmp_path):
    mp.spawn(on_a_rank, args=(ranks, str(tmp_path), plain), nprocs=ranks)
