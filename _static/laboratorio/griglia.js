// La tabella dei pesi di una head, in cui ogni casella è un arco che si può tagliare; e, in piccolo, quelle di tutte le head.

import { cornice, crea, percento, peso_scritto, quadratini, scrivi_in, tabella } from "./pezzi.js";

/** Perché una coppia non si vede: null se si vede. */
export function nascosta({ stato, traccia }, i, j) {
  const { layer, head } = stato;
  if (traccia.layers[layer].heads[head].mask[i][j]) return null;
  if (traccia.visible[i][j]) return "tagliato";
  return j > i ? "futuro" : "fuori schema";
}

/** `azioni`: taglia(i, j), prova(posto o null), testa(layer, head). */
export function creaGriglia(azioni) {
  const teste = crea("fieldset.lab-teste", {}, crea("legend", {}, "Quale layer, quale head?"));
  const griglia = crea("div.lab-griglia");
  const avviso = crea("p.lab-avviso", { role: "status" });
  const numeri = crea("details", { ontoggle: () => aggiornaNumeri() }, crea("summary", {}, "I numeri della tabella"), crea("div"));
  const elemento = crea("div", {}, teste, griglia, avviso, numeri);
  let vista = null;
  let chiave = null;
  let celle = []; // celle[i][j]
  let miniature = [];
  let qui = [0, 0]; // la casella che riceve il fuoco

  function costruisci() {
    const { stato: { parole }, modello } = vista;
    const T = parole.length;
    celle = parole.map((chi, i) => parole.map((_, j) => crea("td", {
      role: "gridcell", tabindex: "-1",
      onclick: () => { sposta(i, j, false); azioni.taglia(i, j); },
      onfocus: (e) => e.target.matches(":focus-visible") && azioni.prova(i), // con la tastiera, non al tocco
    }, crea("span.lab-quadro", { "aria-hidden": "true" }))));
    const righe = parole.map((chi, i) => crea("tr", { onpointerenter: (e) => e.pointerType === "mouse" && azioni.prova(i) },
      crea("th", { scope: "row" }, chi), ...celle[i]));
    const tavola = crea("table", { role: "grid", onkeydown: tasto, onpointerleave: () => azioni.prova(null),
      onfocusout: (e) => !e.currentTarget.contains(e.relatedTarget) && azioni.prova(null), style: `--lato:${T}` },
      crea("caption", {}, "Riga: chi guarda. Colonna: chi è guardato. ",
        crea("span.solo-schermo", {}, "Tocca una casella per tagliare l’arco, ritoccala per ricucirlo.")),
      crea("thead", {}, crea("tr", {}, crea("td"), ...parole.map((parola) => crea("th", { scope: "col" }, crea("span", {}, parola))))),
      crea("tbody", {}, ...righe));
    griglia.replaceChildren(cornice("Tabella dei pesi", tavola));
    qui = [Math.min(qui[0], T - 1), Math.min(qui[1], T - 1)];
    celle[qui[0]][qui[1]].tabIndex = 0;

    teste.hidden = modello.n_layers * modello.n_heads === 1;
    teste.replaceChildren(teste.firstChild);
    miniature = modello.layers.map((_, layer) => Array.from({ length: modello.n_heads }, (_, head) => {
      const { disegno, mostra } = quadratini("weight", T, T);
      const radio = crea("input", { type: "radio", name: "lab-head", onchange: () => azioni.testa(layer, head) });
      const nome = crea("span");
      teste.append(crea("label", {}, radio, disegno, nome));
      return { radio, nome, mostra };
    }));
  }

  function sposta(i, j, fuoco = true) {
    celle[qui[0]]?.[qui[1]]?.setAttribute("tabindex", "-1");
    qui = [i, j];
    celle[i][j].tabIndex = 0;
    if (fuoco) celle[i][j].focus();
  }

  function tasto(evento) {
    const [i, j] = qui;
    const ultimo = celle.length - 1;
    const mosse = { ArrowUp: [i - 1, j], ArrowDown: [i + 1, j], ArrowLeft: [i, j - 1], ArrowRight: [i, j + 1], Home: [i, 0], End: [i, ultimo] };
    if (evento.key === "Enter" || evento.key === " ") azioni.taglia(i, j);
    else if (mosse[evento.key]) sposta(...mosse[evento.key].map((n) => Math.max(0, Math.min(ultimo, n))));
    else return;
    evento.preventDefault();
  }

  function aggiornaNumeri() {
    if (!numeri.open || !vista?.traccia) return;
    const { stato: { parole, layer, head }, traccia } = vista;
    const { weights } = traccia.layers[layer].heads[head];
    numeri.lastChild.replaceChildren(tabella(`Pesi, layer ${layer + 1}, head ${head + 1}`, parole,
      parole.map((parola, i) => [parola, weights[i].map((peso, j) => (nascosta(vista, i, j) ? "–" : peso_scritto(peso)))])));
  }

  function mostra(nuova) {
    const tutto = vista?.traccia !== nuova.traccia || vista.stato.layer !== nuova.stato.layer || vista.stato.head !== nuova.stato.head;
    vista = { ...nuova, stato: { ...nuova.stato } };
    const { stato, traccia, i: riga } = vista;
    if (chiave !== stato.pesi + stato.parole) {
      chiave = stato.pesi + stato.parole;
      costruisci();
    }
    celle.forEach((caselle, i) => caselle[0].parentElement.classList.toggle("guarda", i === riga));
    if (!tutto) return;
    const { weights } = traccia.layers[stato.layer].heads[stato.head];
    celle.forEach((caselle, i) => caselle.forEach((casella, j) => {
      const motivo = nascosta(vista, i, j);
      casella.className = motivo ? motivo.replace(" ", "-") : "";
      casella.firstChild.style.transform = `scale(${motivo ? 0 : Math.sqrt(weights[i][j])})`;
      casella.setAttribute("aria-label", `${stato.parole[i]} guarda ${stato.parole[j]}: ${motivo ?? percento(weights[i][j])}`);
    }));
    miniature.forEach((head, layer) => head.forEach(({ radio, nome, mostra: disegna }, h) => {
      const { weights: pesi, silent } = traccia.layers[layer].heads[h];
      radio.checked = layer === stato.layer && h === stato.head;
      radio.parentElement.classList.toggle("muta", silent);
      disegna(pesi, 1);
      scrivi_in(nome, `layer ${layer + 1}, head ${h + 1}${silent ? ": tace" : ""}`);
    }));
    aggiornaNumeri();
  }
  return { elemento, mostra, avviso };
}
