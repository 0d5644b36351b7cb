"""Quali nomi una cella usa senza averli, e quali lascia alle celle dopo: serve a chi ne sposta una altrove."""

import builtins
import symtable


def nomi_di(sorgente: str) -> tuple[set[str], set[str]]:
    """I nomi che un pezzo di codice cerca fuori di sé, e quelli che definisce."""
    modulo = symtable.symtable(sorgente, "cella", "exec")
    definiti = {simbolo.get_name() for simbolo in modulo.get_symbols() if simbolo.is_assigned() or simbolo.is_imported()}
    return _cercati_fuori(modulo) - definiti - set(dir(builtins)), definiti


def _cercati_fuori(tabella) -> set[str]:
    """I nomi che una tabella dei simboli, o una di quelle che contiene, cerca nel notebook."""
    in_cima = tabella.get_type() == "module"
    propri = {simbolo.get_name() for simbolo in tabella.get_symbols() if simbolo.is_referenced() and (in_cima or simbolo.is_global())}
    return propri.union(*map(_cercati_fuori, tabella.get_children()))
