"""I controlli della via veloce: rango, shape, dtype e device. I valori non si leggono mai."""

import torch

from attnkit.shapes import divides, finite_number, same_size


def check_inputs(q, k, v, scale):
    """Rango, shape, dtype, device e scale; mai i valori."""
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            found = f"elementi {tensor.dtype}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise ValueError(f"{name}: mi aspettavo un tensore torch di numeri reali, ho trovato {found}")
        if tensor.dim() != 4:
            raise ValueError(f"{name}: mi aspettavo 4 assi (B, H, T, Dh), ne ho trovati {tensor.dim()} (shape {tuple(tensor.shape)})")
    (B, Hq, Tq, Dh), (Bk, Hkv, Tk, Dk) = q.shape, k.shape
    if 0 in (B, Hq, Tq, Dh, Hkv):
        raise ValueError(f"Mi aspettavo assi non vuoti, ho trovato q {tuple(q.shape)} e k {tuple(k.shape)}")
    same_size("Il batch di q", B, "quello di k", Bk)
    same_size("La larghezza di q", Dh, "quella di k", Dk)
    if k.shape != v.shape:
        raise ValueError(f"k e v devono avere la stessa shape: ho trovato {tuple(k.shape)} e {tuple(v.shape)}")
    divides("Hkv", Hkv, "Hq", Hq)
    same_kind("q e k", q, k)
    same_kind("k e v", k, v)
    if scale is not None:
        finite_number("scale", scale)


def same_kind(names, a, b):
    """Pretende lo stesso dtype e lo stesso device."""
    if a.dtype != b.dtype:
        raise ValueError(f"{names} devono avere lo stesso dtype: ho trovato {a.dtype} e {b.dtype}")
    if a.device != b.device:
        raise ValueError(f"{names} devono stare sullo stesso device: ho trovato {a.device} e {b.device}")
