"""Llama da riga di comando: legge una domanda, e scrive il seguito mentre lo trova.

    python -m attnkit.llama CARTELLA "C'era una volta"
"""

import argparse
import sys

import torch

from attnkit.llama import Llama
from attnkit.llama.pesi import find


def main(arguments=None):
    """La riga di comando."""
    parser = argparse.ArgumentParser(prog="python -m attnkit.llama", description="Continua un testo con un modello della famiglia Llama.")
    parser.add_argument("cartella", help="config.json, safetensors e tokenizer.json; o un nome di Hugging Face, come autore/modello")
    parser.add_argument("domanda", help="il testo da continuare")
    parser.add_argument("--token", type=int, default=100, help="quanti token scrivere, al più (%(default)s)")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 = sempre il più probabile (%(default)s)")
    parser.add_argument("--top-p", type=float, default=1.0, help="si sceglie fra i più probabili, fino a questa probabilità (%(default)s)")
    parser.add_argument("--seed", type=int, help="il seme della scelta")
    options = parser.parse_args(arguments)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        sys.exit("Serve il pacchetto tokenizers, per passare dal testo ai token: pip install tokenizers")
    try:
        folder = find(options.cartella)
        tokenizer = read_tokenizer(Tokenizer, folder / "tokenizer.json")
        write(Llama.from_pretrained(folder), tokenizer, options)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{parser.prog}: {error}")


def read_tokenizer(Tokenizer, path):
    """Ciò che divide il testo in token, e da lì torna al testo."""
    if not path.exists():
        raise FileNotFoundError(f"Manca {path}: senza, il testo non si divide in token")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:                                 # tokenizers solleva Exception, e basta
        raise ValueError(f"{path} non si legge: {error}") from error


def write(model, tokenizer, options):
    """Scrive la domanda e il seguito, un pezzo per volta."""
    tokens, shown = tokenizer.encode(options.domanda).ids, options.domanda
    print(shown, end="", flush=True)
    start = len(tokenizer.decode(tokens))

    def show(token):
        nonlocal start
        tokens.append(int(token))
        text = tokenizer.decode(tokens)
        if not text.endswith("\ufffd"):                        # una lettera ancora a metà
            print(text[start:], end="", flush=True)
            start = len(text)

    model.generate(torch.tensor(tokens), max_new_tokens=options.token, temperature=options.temperature, top_p=options.top_p, seed=options.seed,
                   stop=model.config.stop, stream=show, progress=True)
    print(tokenizer.decode(tokens)[start:])                    # se l'ultima lettera è rimasta a metà, lo si vede


if __name__ == "__main__":
    main()
