"""La ring attention è l'attenzione densa: su processi veri, con tutte le disposizioni, nei valori e nei gradienti."""

import functools
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from attnkit.attention import Causal, Full, attention, fuso
from attnkit.ring import LAYOUTS, anello, corsa, launch, places, ring_attention, shard, simulate, unshard
from attnkit.ring.misura import Run
from attnkit.ring.vicini import Ring
from test_sparse import Largest

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

# Un processo che nasce da capo passa tre secondi a importare torch. Dove si può, qui nascono tutti da uno che l'ha già fatto.
QUICK = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
multiprocessing.set_forkserver_preload(["attnkit.ring", "test_ring"])


def on_processes(function, *args, ranks):
    mp.start_processes(function, args=args, nprocs=ranks, start_method=QUICK)


@pytest.fixture
def quick_launch(monkeypatch):
    """`launch` avvia i suoi processi in fretta: che cosa fanno, e come li segue, non cambia."""
    monkeypatch.setattr(corsa.mp, "get_context", lambda method: multiprocessing.get_context(QUICK))


def enter(rank, ranks, folder, **options):
    """Ogni prova su più processi comincia così."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/incontro", rank=rank, world_size=ranks, **options)


def on_a_rank(rank, ranks, folder, plain):
    """Tutti i casi, in un processo solo: avviare un processo costa più dei conti."""
    enter(rank, ranks, folder)
    if plain:
        fuso.has_lse = lambda q: False
    for layout, causal, Hkv in itertools.product(LAYOUTS, (True, False), (1, 2, 4)):
        for n in (2, 6) if layout == "zigzag" else (1, 5):
            same_as_dense(rank, ranks, None, n, Hkv, causal, layout)
    same_as_dense(rank, ranks, None, 3, 2, False, "zigzag")    # senza maschera va bene anche un numero dispari
    corsa._leave()


def same_as_dense(rank, ranks, group, n, Hkv, causal, layout):
    """Uscita e gradienti, con ingressi fatti come li fa un layer: (B, T, H, Dh) trasposto."""
    whole = [t.requires_grad_() for t in qkv(n * ranks, Hkv=Hkv)]
    direction = torch.randn(whole[0].shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    expected = attention(*whole, Causal() if causal else Full())
    gradients = torch.autograd.grad(expected, whole, direction)
    mine = [shard(t.detach(), rank, ranks, layout).transpose(1, 2).contiguous().transpose(1, 2).requires_grad_() for t in whole]
    output = ring_attention(*mine, causal=causal, layout=layout, group=group)
    torch.testing.assert_close(output, shard(expected, rank, ranks, layout), **TIGHT)
    for ours, theirs in zip(torch.autograd.grad(output, mine, shard(direction, rank, ranks, layout)), gradients):
        torch.testing.assert_close(ours, shard(theirs, rank, ranks, layout), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ranks, plain", [(1, False), (2, False), (4, False), (2, True)])
def test_on_real_processes_like_dense_attention(ranks, plain, tmp_path):
    on_processes(on_a_rank, ranks, str(tmp_path), plain, ranks=ranks)


def on_a_group(rank, folder):
    enter(rank, 3, folder)
    group = dist.new_group([1, 2])
    if rank == 0:
        with pytest.raises(RuntimeError, match="Questo processo non fa parte del gruppo"):
            ring_attention(*qkv(4), group=group)
    else:
        for layout in LAYOUTS:
            same_as_dense(rank - 1, 2, group, 4, 2, True, layout)
    dist.barrier()
    corsa._leave()


def test_on_some_of_the_processes(tmp_path):
    on_processes(on_a_group, str(tmp_path), ranks=3)


def test_without_a_group():
    with pytest.raises(RuntimeError, match="Non c'è un gruppo di processi: prima serve .*init_process_group, o attnkit.ring.launch"):
        ring_attention(*qkv(4))


def on_a_refusal(rank, folder):
    """Gli ingressi sbagliati li rifiutano tutti, prima che parta un blocco; poi si può ricominciare."""
    enter(rank, 2, folder)
    started = []

    def refused(message, tensors, **options):
        with pytest.raises(ValueError, match=message):
            ring_attention(*tensors, watch=started.append, **options)

    same = "tutti i rank devono avere lo stesso valore, ma il rank 0 ha"
    refused(rf"shape di q: {same} \(2, 4, 4, 3\) e il rank 1 ha \(2, 4, 6, 3\)", qkv(4 + 2 * rank))
    refused(rf"shape di k: {same} \(2, 1, 4, 3\) e il rank 1 ha \(2, 2, 4, 3\)", qkv(4, Hkv=1 + rank))
    refused(f"dtype: {same} torch.float32 e il rank 1 ha torch.float64", qkv(4, dtype=(torch.float32, torch.float64)[rank]))
    refused(f"device: {same} cpu e il rank 1 ha meta", [t.to(("cpu", "meta")[rank]) for t in qkv(4)])
    refused(f"causal: {same} True e il rank 1 ha False", qkv(4), causal=rank == 0)
    refused(f"layout: {same} zigzag e il rank 1 ha striped", qkv(4), layout=("zigzag", "striped")[rank])
    refused(f"requires_grad: {same} False e il rank 1 ha True", [t.requires_grad_(rank == 1) for t in qkv(4)])
    refused(("Il rank 1 si è fermato. q e k devono", "^q e k devono")[rank] + " avere lo stesso dtype", [qkv(4)[0].to((torch.float64, torch.float32)[rank]), *qkv(4)[1:]])
    refused("numero pari di token per rank, ne ho trovati 3", qkv(3))
    refused("mi aspettavo uno fra contiguous, zigzag, striped, ho trovato 'tondo'", qkv(4), layout="tondo")
    refused("Mi aspettavo tante query quante key, ho trovato 4 e 2", [qkv(4)[0], *(t[:, :, :2] for t in qkv(4)[1:])])
    assert not started
    same_as_dense(rank, 2, None, 4, 2, True, "zigzag")
    corsa._leave()


def test_every_rank_refuses_before_any_block_travels(tmp_path):
    on_processes(on_a_refusal, str(tmp_path), ranks=2)


def on_a_measured_rank(rank, folder):
    """Quanti byte partono, e quanto è grande il tensore più grande."""
    enter(rank, 3, folder)
    n, block, bytes_sent = 128, 2 * 128 * 8 * 4, {}            # una head: key e value, in float32
    for layout, plain in itertools.product(LAYOUTS, (False, True)):
        fuso.has_lse = (lambda q: False) if plain else (lambda q: True)
        mine, sent = [t.requires_grad_() for t in qkv(n, Hq=2, Hkv=2, Dh=8, B=1, dtype=torch.float32)], []
        with Largest() as largest:
            output = ring_attention(*mine, layout=layout, watch=sent.append)
            forward = sum(sent)
            output.sum().backward()
        assert largest.elements <= (n * n if plain else 2 * 2 * n * 8) < 3 * n * n         # lontano da T · T/P
        bytes_sent[layout] = forward / (2 * block), sum(sent) / (2 * block)
    everyone = [None] * 3
    dist.all_gather_object(everyone, bytes_sent)
    # contiguous: il blocco di 0 va a 1 e poi a 2, quello di 1 va a 2; indietro lo seguono i gradienti, che 2 rimanda a casa
    assert [sent["contiguous"] for sent in everyone] == [(1, 1 + 1 + 1), (2, 2 + 2 + 2), (0, 2)]
    assert all(sent[layout] == (2, 2 + 2 + 3) for sent in everyone for layout in ("zigzag", "striped"))
    corsa._leave()


def test_bytes_sent_and_the_largest_tensor(tmp_path):
    on_processes(on_a_measured_rank, str(tmp_path), ranks=3)


# I vicini che tacciono ------------------------------------------------------------------------------

def on_a_silent_rank(rank, folder, how):
    enter(rank, 2, folder, timeout=timedelta(seconds=2))
    q, k, v = qkv(4)
    if rank == 0:
        started = []
        expected = {"prima": "Il rank 0 aspettava le misure degli altri: ", "muore": "Il rank 0 (aspettava dal|mandava al) rank 1",
                    "tace": "Il rank 0 aspettava dal rank 1 il blocco, al passo 0: "}[how]
        with pytest.raises(RuntimeError, match=expected):
            ring_attention(q, k, v, watch=started.append)
        Path(folder, "fatto").touch()
        os._exit(0)
    if how != "prima":
        anello._agree(q, k, v, True, "zigzag", None)           # si presenta, e poi non manda nulla
    while how != "muore" and not Path(folder, "fatto").exists():
        time.sleep(0.1)
    os._exit(0)


@pytest.mark.parametrize("how", ["prima", "tace", "muore"])
def test_a_silent_neighbour_is_named(how, tmp_path):
    on_processes(on_a_silent_rank, str(tmp_path), how, ranks=2)


# launch ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [{"ranks": 2, "backward": True, "layout": "zigzag"}, {"ranks": 3, "layout": "contiguous", "kv_heads": 1, "rounds": 2},
                                     {"ranks": 1, "causal": False, "layout": "striped"}], ids=str)
def test_launch_reports_every_rank(options, request):
    if options["ranks"] != 2:                                  # una volta come fa chi legge, le altre in fretta
        request.getfixturevalue("quick_launch")
    reports = launch(96, heads=2, head_dim=8, progress=False, **options)
    ranks, kv_heads = options["ranks"], options.get("kv_heads", 2)
    assert [r.rank for r in reports] == list(range(ranks)) and not multiprocessing.active_children()
    for r in reports:
        assert r.seconds > 0 and r.own == 4 * 96 // ranks * 8 * (2 + 2 * kv_heads) and 0 <= r.error < 1e-5
        assert (r.peak is None) == (r.total is None) and (r.peak is None or 0 <= r.peak < r.total)
    blocks = sum(r.sent for r in reports) / (4 * 96 // ranks * 8 * 2 * kv_heads)
    assert blocks == {1: 0, 2: 2 + 2 + 4, 3: 2 + 1}[ranks]
    assert all(r.error is None for r in launch(8, ranks=1, check=False, progress=False))


def test_the_check_is_left_out_where_it_would_take_long():
    assert Run(16384, 4).checked and not Run(65536, 4).checked and not Run(1024, 4, check=False).checked


@pytest.mark.skipif(sys.platform != "linux", reason="la memoria si legge in /proc")
def test_memory_depends_on_the_tokens_of_a_rank_not_on_how_many_ranks():
    one, four = (max(launch(2048 * P, ranks=P, check=False, progress=False), key=lambda report: report.total) for P in (1, 4))
    assert four.own == one.own and four.peak <= 2.2 * four.own and four.total <= 1.1 * one.total


def test_a_script_without_a_guard_is_told(tmp_path):
    script = tmp_path / "corsa.py"
    script.write_text("from attnkit.ring import launch\nlaunch(16, ranks=1, progress=False)\n")
    done = run(sys.executable, script)
    assert done.returncode == 1 and "Il rank 0 è uscito con il codice 1 prima di partire. In uno script, launch va chiamata sotto if" in done.stderr


def test_launch_refuses_before_starting():
    for message, tokens, options in [("con 3 rank e layout='zigzag' mi aspettavo un multiplo di 6, ho trovato 10", 10, {"ranks": 3}),
                                     ("con 3 rank e layout='striped' mi aspettavo un multiplo di 3, ho trovato 10", 10, {"ranks": 3, "layout": "striped"}),
                                     ("heads=8 non è divisibile per kv_heads=3", 8, {"ranks": 1, "kv_heads": 3}),
                                     ("layout: mi aspettavo uno fra contiguous, zigzag, striped, ho trovato 'tondo'", 8, {"ranks": 1, "layout": "tondo"}),
                                     ("device: mi aspettavo uno fra cpu, cuda, ho trovato 'tpu'", 8, {"ranks": 1, "device": "tpu"}),
                                     ("timeout: mi aspettavo un numero positivo di secondi, ho trovato 0", 8, {"ranks": 1, "timeout": 0}),
                                     ("ranks: mi aspettavo un intero maggiore di zero, ho trovato 0", 8, {"ranks": 0})]:
        with pytest.raises(ValueError, match=message):
            launch(tokens, progress=False, **options)


# Chi muore e chi si ferma -----------------------------------------------------------------------------

def wounded(wound, rank, *arguments):
    """Ciò che fa ogni processo, ma il rank 2 si ferisce al settimo passo, e gli altri non ne sanno nulla."""
    if rank == 2:
        healthy, left = Ring.pass_block, itertools.count(4 * 3 + 7, -1)        # quattro head, tre rank: un giro per scaldarsi

        def pass_block(*arguments):
            if next(left) == 0:
                wound()
            return healthy(*arguments)
        Ring.pass_block = pass_block
    corsa._child(rank, *arguments)


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def is_suspended():
    os.kill(os.getpid(), signal.SIGSTOP)


def sleeps():
    time.sleep(3600)


def leaves():
    os._exit(3)


def raises():
    raise MemoryError("basta così")


@pytest.mark.skipif(sys.platform == "win32", reason="senza segnali")
@pytest.mark.parametrize("wound, error, message", [
    (is_killed, RuntimeError, r"Il rank 2 è morto \(segnale 9, SIGKILL\) al passo 7 di 12"),
    (leaves, RuntimeError, "Il rank 2 è uscito con il codice 3 al passo 7 di 12"),
    (raises, RuntimeError, r"(?s)Il rank 2 si è fermato al passo 7 di 12 con un errore:.*MemoryError: basta così"),
    (sleeps, TimeoutError, "Il rank 2 è fermo al passo 7 di 12: nessuno è andato avanti negli ultimi 4 secondi"),
    (is_suspended, TimeoutError, "Il rank 2 è fermo al passo 7 di 12"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_the_rank_that_fails_is_named_and_nobody_is_left(wound, error, message, monkeypatch, quick_launch):
    follow, pids = corsa._follow, []
    monkeypatch.setattr(corsa, "_follow", lambda processes, *rest: (pids.extend(p.pid for p in processes), follow(processes, *rest)))
    monkeypatch.setattr(corsa, "_child", functools.partial(wounded, wound))
    with pytest.raises(error, match=message):
        launch(96, ranks=3, heads=4, head_dim=8, timeout=4, check=False, progress=False)
    assert len(pids) == 3 and not any(map(alive, pids))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"      # senza genitore può restarne il nome


def ranks_of(process, how_many):
    """I processi avviati da una riga di comando, quando sono partiti tutti."""
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ranks = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        if len(ranks) == how_many:
            return ranks
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.skipif(sys.platform != "linux", reason="cerca i processi in /proc")
@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_nobody_outlives_the_command(how, code):
    with subprocess.Popen([*COMMAND, "--tokens", "65536", "--ranks", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:     # in sottofondo Ctrl-C nascerebbe ignorato
        pids = ranks_of(process, 2)
        process.send_signal(how)
        output, errors = process.communicate(timeout=100)
    assert process.returncode == code and not output
    assert "KeyboardInterrupt" not in errors                               # ma chi perde il padre all'avvio può lamentarsi
    deadline = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, pids))


# La riga di comando -----------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "attnkit.ring"]


def run(*command):
    root = Path(__file__).parent.parent
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})


@pytest.mark.parametrize("command", [[*COMMAND, "--ranks", 2],
                                     [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "attnkit.ring"]], ids=["launch", "torchrun"])
def test_the_command_prints_a_table(command):
    done = run(*command, "--tokens", 64, "--heads", 2, "--kv-heads", 1, "--head-dim", 8, "--backward", "--layout", "striped", "--rounds", 2)
    assert done.returncode == 0, done.stderr
    _, title, *rows, last = done.stdout.splitlines()
    assert title.startswith("rank   secondi   spediti") and [row.split()[0] for row in rows] == ["0", "1"] and last.startswith("Differenza dall'attenzione densa: al più ")


def test_the_command_says_what_is_wrong():
    for options, message in [(["--tokens", 10, "--ranks", 4], "tokens: con 4 rank e layout='zigzag' mi aspettavo un multiplo di 8, ho trovato 10"),
                             (["--layout", "tondo"], "layout: mi aspettavo uno fra contiguous, zigzag, striped, ho trovato 'tondo'")]:
        done = run(*COMMAND, *options)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr and not done.stdout


def test_launch_works_where_there_is_no_main_to_import():
    """Come in un notebook: il codice non sta in un file, e non ha la guardia su __main__."""
    done = run(sys.executable, "-c", "from attnkit.ring import launch\nprint(len(launch(16, ranks=2, heads=1, head_dim=4)))")
    assert done.returncode == 0 and done.stdout == "2\n", done.stderr
