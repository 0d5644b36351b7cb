"""Ciò che i banchi di misura hanno in comune: il giro più breve, e la memoria di picco (solo su Linux)."""

import math
import time
from pathlib import Path


def best(functions, *, rounds, seconds=0.0):
    """Il giro più breve di ciascuna funzione, in millisecondi; i giri si alternano.

    Args:
        functions: le funzioni, senza argomenti.
        rounds: almeno questi giri.
        seconds: e almeno questo tempo.
    """
    functions = list(functions)
    shortest = [math.inf] * len(functions)
    for function in functions:
        function()
    start, done = time.perf_counter(), 0
    while done < rounds or time.perf_counter() - start < seconds:
        for i, function in enumerate(functions):
            before = time.perf_counter()
            function()
            shortest[i] = min(shortest[i], time.perf_counter() - before)
        done += 1
    return [1000 * seconds for seconds in shortest]


def memory(field):
    """Un campo di /proc/self/status, in MiB: VmRSS è la memoria di adesso, VmHWM il picco."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def reset_peak():
    """Il picco riparte da adesso."""
    Path("/proc/self/clear_refs").write_text("5")


def there_and_back(function, *inputs):
    """La stessa chiamata, seguita dai gradienti degli ingressi e, se ci sono, dei pesi."""
    import torch
    inputs = [t.detach().requires_grad_() for t in inputs]
    direction = torch.ones_like(function(*inputs))
    return lambda: function(*inputs).backward(direction)
