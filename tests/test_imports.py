"""La direzione delle importazioni: ogni modulo conosce solo quelli che vengono prima di lui."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "attnkit"
ORDER = ["shapes", "config", "reference", "masks", "costs", "language", "attention", "rope", "layers", "toy", "ring",
         "llama", "plots", "exercises"]
WITH_TORCH = {"attention", "rope", "layers", "toy", "ring", "llama"}
LEAVES = {"plots", "exercises"}                               # nessuno li importa
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path, *, nested):
    """I moduli importati da un file; con `nested` anche quelli importati dentro le funzioni."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: si importa per nome intero, non con i punti"
            assert all(alias.name != "*" for alias in node.names), f"{path.name}: niente importazioni con asterisco"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_up_the_table(path):
    name = name_of(path)
    if name == "__init__":
        assert not list(imports(path, nested=True)), "attnkit/__init__.py non importa nulla: si paga solo ciò che si usa"
        return
    assert name in ORDER, f"{name} non è nella tabella dei moduli"
    for imported in imports(path, nested=True):
        if not imported.startswith("attnkit."):
            continue
        other = imported.split(".")[1]
        assert other in ORDER, f"{path.name} importa {imported}, che non è nella tabella"
        if other == name:
            continue
        assert other not in LEAVES, f"nessuno importa {other}"
        assert ORDER.index(other) < ORDER.index(name), f"{name} non può importare {other}, che viene dopo"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_stays_where_it_belongs(path):
    if name_of(path) not in WITH_TORCH:
        assert not any(imported.split(".")[0] == "torch" for imported in imports(path, nested=False))


def test_the_test_itself_sees_a_wrong_direction(tmp_path):
    file = tmp_path / "masks.py"
    file.write_text("def f():\n    from attnkit.toy import train\n")
    assert list(imports(file, nested=True)) == ["attnkit.toy.train"] and not list(imports(file, nested=False))


def test_reading_code_does_not_wait_for_torch():
    code = ("import sys, attnkit.reference, attnkit.masks, attnkit.language, attnkit.plots, attnkit.exercises; "
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent).returncode == 0
