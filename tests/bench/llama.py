"""Quanto costa Llama, in rapporto a `transformers` con gli stessi pesi. Si lancia per nome, non con la suite:

    python3 strumenti/ambiente.py tests/bench/llama.py              # tutto, un paio di minuti
    python3 strumenti/ambiente.py tests/bench/llama.py --tempi      # solo i tempi
    python3 strumenti/ambiente.py tests/bench/llama.py --picco      # solo la memoria

I due modelli corrono alternati, e di ciascuno si tiene il giro più breve. L'obiettivo è su un modello piccolo; accanto ce ne sono di
più grandi, in cui un passo di generazione è soprattutto leggere i pesi dalla memoria, che costa uguale a tutti. La memoria è quella di picco che
aggiungono la lettura dei pesi e un passo in avanti, pagine mappate comprese, in rapporto ai pesi: si misura in un processo
a parte (solo su Linux), su un modello di qualche centinaio di MiB.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from misure import best, memory, reset_peak

ROUNDS, SECONDS = 10, 4.0                                     # almeno questi giri, e almeno questo tempo
SMALL, WIDER = 128, (256, 512)                                # d_model: quello dell'obiettivo, e gli altri
BIG = {"d_model": 1024, "n_layers": 12, "n_heads": 16, "n_kv_heads": 4, "d_ff": 2816, "vocabulary": 32000, "context": 2048}


# Il tempo -------------------------------------------------------------------------------------------

def both(d_model, folder):
    """Il modello di transformers, e il nostro con i suoi pesi."""
    import torch
    import transformers
    from attnkit.llama import Llama
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        hidden_size=d_model, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=2, intermediate_size=8 * d_model // 3,
        vocab_size=1000, max_position_embeddings=2048)).eval()
    theirs.save_pretrained(folder)
    return Llama.from_pretrained(folder), theirs


def times():
    import torch
    import transformers
    print(f"float32, torch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} thread\n")
    print(f"{'':44} {'noi, ms':>9} {'pari, ms':>9} {'rapporto':>9}  obiettivo")
    for d_model in (SMALL, *WIDER):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = both(d_model, folder)
            for B, T in ((1, 64), (1, 512), (4, 128)) if d_model == SMALL else ((1, 512),):
                tokens = torch.randint(0, 1000, (B, T))
                with torch.inference_mode():
                    mine, other = best((lambda: ours(tokens), lambda: theirs(tokens)), rounds=ROUNDS, seconds=SECONDS)
                note = "" if d_model != SMALL else "≤ 1.0" + ("" if mine <= other else "   mancato")
                print(f"{f'D={d_model}: in avanti, B={B}, T={T}':44} {mine:9.2f} {other:9.2f} {mine / other:9.3f}  {note}")
            for T, new in ((32, 64), (32, 256), (512, 64)) if d_model == SMALL else ((32, 64),):
                tokens = torch.randint(0, 1000, (1, T))
                options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "pad_token_id": 0}
                mine, other = best((lambda: ours.generate(tokens, max_new_tokens=new), lambda: theirs.generate(tokens, **options)), rounds=5, seconds=SECONDS)
                note = "" if d_model != SMALL else ", ≥ 1.6" + ("" if other >= 1.6 * mine else "   mancato")
                print(f"{f'D={d_model}: genera {new} token dopo {T}':44} {mine:9.2f} {other:9.2f} {mine / other:9.3f}  "
                      f"{1000 * new / mine:.0f} token al secondo contro {1000 * new / other:.0f}, {other / mine:.2f} volte{note}")


# La memoria -----------------------------------------------------------------------------------------

def write_checkpoint(folder, shards, tied):
    """Un modello pubblicato come fa `transformers`, con pesi a caso in bfloat16."""
    import json
    import torch
    from safetensors.torch import save_file
    from attnkit.config import LlamaConfig
    from attnkit.llama import Llama
    from attnkit.llama.pesi import names
    config = LlamaConfig(**BIG, tied=tied)
    with torch.device("meta"):
        shapes = {name: p.shape for name, p in Llama(config).named_parameters()}
    tensors = {theirs: torch.empty(shapes[ours], dtype=torch.bfloat16).uniform_(-0.05, 0.05) for theirs, ours in names(config).items()}
    raw = {"model_type": "llama", "hidden_act": "silu", "hidden_size": config.d_model, "num_hidden_layers": config.n_layers, "rms_norm_eps": 1e-5,
           "num_attention_heads": config.n_heads, "num_key_value_heads": config.n_kv_heads, "intermediate_size": config.d_ff,
           "vocab_size": config.vocabulary, "max_position_embeddings": config.context, "tie_word_embeddings": tied}
    (folder / "config.json").write_text(json.dumps(raw))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return
    where = {name: f"model-{n % shards + 1:05}-of-{shards:05}.safetensors" for n, name in enumerate(tensors)}
    for file in set(where.values()):
        save_file({name: t for name, t in tensors.items() if where[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def peak(folder, dtype):
    """I byte dei pesi, e il picco in rapporto a loro: si esegue in un processo che non fa altro."""
    import torch
    from attnkit.config import LlamaConfig
    from attnkit.llama import Llama
    dtype, tokens = getattr(torch, dtype) if dtype else None, torch.arange(16)[None]
    Llama(LlamaConfig(64, 1, 4, 2, 96, 100, 50)).to(dtype or torch.bfloat16)(tokens)         # ciò che si alloca una volta sola
    before = memory("VmRSS")
    reset_peak()
    with torch.inference_mode():
        model = Llama.from_pretrained(folder, dtype=dtype)
        model(tokens)
        for p in model.parameters():                          # anche gli embedding delle parole che non c'erano
            p.amax()
    weights = sum(p.numel() * p.element_size() for p in model.parameters()) / 2 ** 20
    return weights, (memory("VmHWM") - before) / weights


def peaks():
    print(f"\n{'Memoria di picco, in rapporto ai pesi':40} {'pesi, MiB':>9} {'rapporto':>9}  obiettivo")
    for shards, tied, dtype in ((1, False, ""), (5, False, ""), (1, True, ""), (5, True, ""), (1, False, "float32"), (5, True, "float32")):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, "--scrivi", folder, str(shards), str(int(tied))], check=True)
            done = subprocess.run([sys.executable, __file__, "--memoria", folder, dtype], capture_output=True, text=True, check=True)
        weights, ratio = map(float, done.stdout.split())
        name = f"{shards} file{', legati' if tied else ''}, {'da bfloat16 a ' + dtype if dtype else 'bfloat16'}"
        print(f"{name:40} {weights:9.0f} {ratio:9.3f}  ≤ 1.15" + ("" if ratio <= 1.15 else "   mancato"))


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or [""]
    if what == "--scrivi":
        write_checkpoint(Path(rest[0]), int(rest[1]), rest[2] == "1")
    elif what == "--memoria":
        print(*peak(*rest))
    else:
        if what != "--picco":
            times()
        if what != "--tempi" and sys.platform == "linux":
            peaks()
