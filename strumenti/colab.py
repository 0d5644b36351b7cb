"""Simula Colab: ogni notebook da solo, in una cartella vuota, dove attnkit non c'è.

    make colab                                             # tutti
    python3 strumenti/colab.py chapters/01-panoramica.ipynb    # solo questi
    python3 strumenti/colab.py --nuove                     # con le ultime versioni: come sarà domani

Che cosa c'è di vero: un ambiente nuovo con le versioni di numpy e matplotlib di Colab; un repository
git, nato da questa cartella come farebbe la pubblicazione; la cella di preparazione, eseguita com'è,
con git che al posto dell'indirizzo del corso trova quel repository. Per ogni notebook si pretende che

- attnkit si installi da sé, e che nient'altro si aggiunga, si tolga o cambi versione;
- il notebook arrivi in fondo, senza avvisi;
- le uscite siano quelle pubblicate, dove il notebook promette che lo siano.

Prima di tutto si controlla anche il caso triste: senza repository, una riga in italiano e nessun traceback.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import notebook
import repository
from ambiente import RADICE, ErroreAmbiente, python_di, versione_di
from versioni import ambiente_con, racconta, variabili, versioni_in

# Nel 2025 Colab aveva Python 3.12 e numpy 2.0.2 (googlecolab/colabtools, n. 5390); matplotlib 3.10 è dello stesso periodo.
# L'elenco di oggi è in https://github.com/googlecolab/backend-info (pip-freeze.txt): quando cambia, cambia anche qui.
DI_COLAB = ["numpy==2.0.2", "matplotlib==3.10.0"]
INDIRIZZO = "https://github.com/prova-di-colab/self-attention-transformer"
SECONDI_PER_CELLA = 300


def pacchetti(nuove: bool = False) -> list[str]:
    """Ciò che un notebook trova in Colab prima di cominciare, o le ultime versioni di tutto."""
    if nuove:
        return ["torch", "numpy", "matplotlib", "tqdm", "safetensors", "ipykernel", "nbclient"]
    return DI_COLAB + [versione_di(nome, RADICE) for nome in ("torch", "tqdm", "safetensors", "ipykernel", "nbclient")]


def pubblica(cartella: Path, indirizzo: str = INDIRIZZO) -> Path:
    """Un repository git con il corso com'è ora, pubblicato a quell'indirizzo.

    Args:
        cartella: dove metterlo; la crea.
        indirizzo: l'indirizzo scritto nella configurazione e nei notebook.

    Returns:
        La cartella.

    Raises:
        ErroreAmbiente: se questa non è una copia di lavoro di git.
    """
    elenco = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=RADICE,
                            capture_output=True, text=True, encoding="utf-8")
    if elenco.returncode:
        raise ErroreAmbiente("Per simulare la pubblicazione serve una copia di git: git clone, non l'archivio zip.")
    for nome in filter(None, elenco.stdout.split("\0")):
        if (RADICE / nome).is_file():                          # i file tolti ma non ancora dal commit
            (cartella / nome).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(RADICE / nome, cartella / nome)
    esegui = dict(cwd=cartella, check=True, capture_output=True, text=True, encoding="utf-8")
    subprocess.run([sys.executable, "strumenti/repository.py", indirizzo], **esegui)
    git = ["git", "-c", "user.name=prova", "-c", "user.email=prova@localhost", "-c", "core.autocrlf=false"]
    for comando in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Pubblica il corso"]):
        subprocess.run(git + comando, **esegui)
    return cartella


def con_git_verso(destinazione: Path, indirizzo: str = INDIRIZZO) -> dict[str, str]:
    """Le variabili con cui git, al posto dell'indirizzo del corso, usa un'altra cartella."""
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{destinazione.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": indirizzo}


def togli_attnkit(ambiente: Path) -> None:
    subprocess.run([str(python_di(ambiente)), "-m", "pip", "uninstall", "--quiet", "--yes", "attnkit"],
                   env=variabili(ambiente), capture_output=True, check=True)


def esegui(file: Path, ambiente: Path, git: dict[str, str]) -> tuple[dict, str]:
    """Esegue un notebook, da solo nella sua cartella, e ne restituisce il contenuto e l'errore, se c'è."""
    fatto = file.with_name("eseguito.ipynb")
    corsa = subprocess.run(
        [str(python_di(ambiente)), "-c", "from nbclient.cli import main; main()", f"--timeout={SECONDI_PER_CELLA}",
         "--allow-errors", f"--output={fatto.name}", file.name],
        cwd=file.parent, capture_output=True, text=True, encoding="utf-8",
        # Un thread, come in prove.py: su una macchina occupata due passano il tempo ad aspettarsi.
        env={**variabili(ambiente, **git, JUPYTER_PREFER_ENV_PATH="1", PYDEVD_DISABLE_FILE_VALIDATION="1", MPLBACKEND="agg"),
             "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")})
    if not fatto.exists():
        return {}, "\n    ".join(corsa.stderr.splitlines()[-12:]) or "nbclient non ha scritto nulla"
    return json.loads(fatto.read_text(encoding="utf-8")), ""


def errori(nb: dict) -> list[tuple[str, dict]]:
    """Le celle che hanno sollevato un errore non voluto, con quell'errore."""
    return [(cella["id"], uscita) for cella in nb["cells"] for uscita in cella.get("outputs", [])
            if uscita["output_type"] == "error" and "raises-exception" not in cella["metadata"].get("tags", [])]


def testi(cella: dict) -> list[str]:
    """I testi di una cella, così come si leggono; le figure no."""
    trovati = []
    for uscita in cella["outputs"]:
        if uscita["output_type"] == "stream":
            trovati.append("".join(uscita["text"]))
        elif not any(mime.startswith("image/") for mime in uscita.get("data", {})):
            trovati.append("".join(uscita.get("data", {}).get("text/plain", "")))
    return trovati


def diverse(eseguito: dict, pubblicato: dict) -> list[str]:
    """Gli id delle celle che hanno scritto altro da ciò che è pubblicato, fra quelle che promettono di no."""
    coppie = [(a, b) for a, b in zip(eseguito["cells"], pubblicato["cells"], strict=True) if a["cell_type"] == "code"]
    return [a["id"] for a, b in coppie
            if not {"nbval-ignore-output", "raises-exception"} & {*a["metadata"].get("tags", [])} and testi(a) != testi(b)]


def prova(percorso: Path, repo: Path, ambiente: Path, prima: dict[str, str]) -> list[str]:
    """Che cosa non va in un notebook aperto in Colab; nulla, se va tutto."""
    togli_attnkit(ambiente)
    with tempfile.TemporaryDirectory() as vuota:
        file = Path(vuota) / percorso.name
        shutil.copy(repo / percorso.relative_to(RADICE), file)
        eseguito, guasto = esegui(file, ambiente, con_git_verso(repo))
    if guasto:
        return [guasto]
    dopo, problemi = versioni_in(ambiente), []
    if "attnkit" not in dopo:
        problemi.append("attnkit non si è installato")
    problemi += [f"{nome}: era {prima.get(nome, 'assente')}, ora è {dopo.get(nome, 'assente')}"
                 for nome in sorted({*prima, *dopo} - {"attnkit"}) if prima.get(nome) != dopo.get(nome)]
    if sbagliate := errori(eseguito):
        return problemi + [f"cella «{nome}»: {uscita['ename']}: {uscita['evalue']}" for nome, uscita in sbagliate]
    try:
        normale = notebook.normalizza(eseguito)               # rifiuta gli avvisi
    except notebook.ErroreNotebook as errore:
        return problemi + [str(errore)]
    return problemi + [f"la cella «{nome}» scrive altro da ciò che è pubblicato"
                       for nome in diverse(normale, notebook.leggi(percorso))]


def senza_repository(repo: Path, ambiente: Path) -> list[str]:
    """Il caso triste: l'indirizzo non risponde. Ci vuole una riga sola, in italiano."""
    togli_attnkit(ambiente)
    with tempfile.TemporaryDirectory() as vuota:
        file = Path(vuota) / "01-panoramica.ipynb"
        shutil.copy(repo / "chapters" / file.name, file)
        eseguito, guasto = esegui(file, ambiente, con_git_verso(Path(vuota) / "nulla"))
    if guasto:
        return [guasto]
    cella = next(c for c in eseguito["cells"] if c["id"] == repository.ID_CELLA)
    righe = [riga for uscita in cella["outputs"] for riga in uscita.get("traceback", uscita.get("text", []))]
    buona = len(cella["outputs"]) == 1 and len(righe) == 1 and "\n" not in righe[0]
    return [] if buona and righe[0].startswith("Non riesco a installare attnkit") else ["righe inattese: " + repr(righe)]


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Esegue i notebook come li eseguirebbe Colab.")
    opzioni.add_argument("notebook", nargs="*", type=Path, help="senza nomi: tutti quelli di chapters/")
    opzioni.add_argument("--nuove", action="store_true", help="con le ultime versioni pubblicate di ogni pacchetto")
    scelte = opzioni.parse_args(argomenti)
    scelti = [p.resolve() for p in scelte.notebook] or notebook.trova()
    falliti = 0
    try:
        nome = "colab-nuove" if scelte.nuove else "colab"
        ambiente = ambiente_con(nome, pacchetti(scelte.nuove), sempre=scelte.nuove)
        togli_attnkit(ambiente)
        print(racconta(ambiente), flush=True)
        prima = versioni_in(ambiente)
        with tempfile.TemporaryDirectory() as cartella:
            repo = pubblica(Path(cartella) / "repository")
            casi = [("senza rete", lambda: senza_repository(repo, ambiente))]
            casi += [(p.relative_to(RADICE).as_posix(), lambda p=p: prova(p, repo, ambiente, prima)) for p in scelti]
            for nome, caso in casi:
                inizio = time.monotonic()
                problemi = caso()
                falliti += bool(problemi)
                print(f"{nome}: {'da correggere' if problemi else 'bene'}, {time.monotonic() - inizio:.0f} s", flush=True)
                for problema in problemi:
                    print(f"    {problema}", flush=True)
    except ErroreAmbiente as errore:
        print(f"\n{errore}", file=sys.stderr)
        return 1
    print(f"{len(casi) - falliti} casi su {len(casi)} a posto.")
    return 1 if falliti else 0


if __name__ == "__main__":
    sys.exit(main())
