"""Scrivere: un token alla volta, il più probabile o uno a caso fra i probabili."""

import torch
from tqdm import tqdm

from attnkit.shapes import natural_int, positive_int, positive_number

PREFILL = 512                 # token letti per volta da una domanda lunga


def generate(model, tokens, *, max_new_tokens, temperature=0.0, top_p=1.0, seed=None, stop=(), stream=None, progress=False):
    """Continua una sequenza.

    Args:
        model: un `Llama`.
        tokens: interi torch, shape (T,) o (B, T).
        max_new_tokens: quanti token scrivere, al più.
        temperature: 0 = sempre il più probabile; 1 = con le probabilità del modello; di più, più a caso.
        top_p: si sceglie fra i token più probabili che insieme arrivano a questa probabilità; 1 = fra tutti.
        seed: il seme della scelta; None = uno qualunque.
        stop: i token che chiudono la sequenza.
        stream: una funzione chiamata a ogni token nuovo, con un tensore (B,).
        progress: se mostrare una barra mentre si legge una domanda lunga.

    Returns:
        I soli token nuovi, shape (T nuovi,) o (B, T nuovi); dopo uno di `stop`, una sequenza ripete quello.

    Raises:
        ValueError: se la sequenza, con i token nuovi, supera il contesto del modello, o un argomento non ha senso.

    Fonte:
        Holtzman et al. 2019, arXiv 1904.09751, §3.1, per top-p. Si costruisce nel capitolo 10.
    """
    positive_int("max_new_tokens", max_new_tokens)
    if temperature != 0:
        positive_number("temperature", temperature)
    if positive_number("top_p", top_p) > 1:
        raise ValueError(f"top_p: mi aspettavo una probabilità, ho trovato {top_p!r}")
    if not isinstance(tokens, torch.Tensor) or tokens.dim() not in (1, 2):
        raise ValueError(f"tokens: mi aspettavo interi torch di shape (T,) o (B, T), ho trovato {getattr(tokens, 'shape', type(tokens).__name__)}")
    many = tokens if tokens.dim() == 2 else tokens[None]
    if many.shape[1] + max_new_tokens > model.config.context:
        raise ValueError(f"Il modello legge al più {model.config.context} token: {many.shape[1]} e {max_new_tokens} nuovi sono troppi")
    generator = None if seed is None else torch.Generator(many.device).manual_seed(natural_int("seed", seed))
    ends = torch.tensor([natural_int("stop", token) for token in stop], device=many.device, dtype=torch.int64)
    new, done = [], torch.zeros(len(many), dtype=torch.bool, device=many.device)
    with torch.inference_mode():
        caches = model.new_caches(many.shape[1] + max_new_tokens)
        logits = _read(model, many, caches, progress)
        while True:
            token = choose(logits, temperature, top_p, generator)          # (B,)
            if new:
                token = torch.where(done, new[-1], token)                  # chi ha finito ripete l'ultimo
            new.append(token)
            if stream is not None:
                stream(token)
            done |= torch.isin(token, ends)
            if len(new) == max_new_tokens or done.all():
                break
            logits = model(token[:, None], caches)[:, -1]
    written = torch.stack(new, dim=1)                                      # (B, T nuovi): qui fuori, perché chi addestra possa usarli
    return written if tokens.dim() == 2 else written[0]


def choose(logits, temperature, top_p, generator=None):
    """Un token per riga, dai logit (B, vocabolario): shape (B,)."""
    if temperature == 0:
        return logits.argmax(-1)
    above = (logits - logits.max(-1, keepdim=True).values).float()        # tutti ≤ 0: nessuna temperatura li manda a infinito
    probabilities = (above / max(temperature, torch.finfo(above.dtype).tiny)).softmax(-1)      # più bassa, in float32 sarebbe zero
    if top_p < 1:
        ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered                              # la probabilità di chi viene prima
        probabilities = probabilities.scatter(-1, places, ordered.masked_fill((before >= top_p) & (before > 0), 0.0))
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)


def _read(model, tokens, caches, progress):
    """Legge la domanda, un pezzo per volta, e dà i logit del prossimo token: (B, vocabolario)."""
    pieces = tokens.split(PREFILL, dim=1)
    for piece in tqdm(pieces, desc="domanda", leave=False, disable=not progress or len(pieces) == 1):
        logits = model(piece, caches, last=True)
    return logits[:, -1]
