// La frase: i token da scegliere, e i modi di scriverne altri (completando, toccando una parola, da un esempio).

import { split_words } from "./modello.js";
import { crea, percento, scrivi_in } from "./pezzi.js";

const ESEMPI = {
  toy: ["la gatta insegue il topo perché affamat-", "la gatta insegue il topo perché appetitos-",
    "ogni volpe cerca tre polli perché gustos-", "qualche lepre guarda ogni cane perché golos-", "la gatta insegue"],
  "toy-due-layer": ["oggi la gatta insegue piano il topo perché appetitos-", "oggi la gatta insegue piano il topo perché affamat-",
    "ogni lupo cerca qui dieci trote perché gustos-", "la gatta insegue il topo perché affamat-"],
};
const semplice = (testo) => testo.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase(); // «perche» trova «perché»

/** `azioni`: aggiungi(token), sostituisci(token), togli(posto), scegli(posto), prova(posto o null), frase(token), avvisa(testo). */
export function creaCompositore(lingua, azioni) {
  const token = crea("div.lab-token");
  const nota = crea("p.lab-nota");
  const scelta = crea("fieldset.lab-frase", {}, crea("legend", {}, "Chi guarda? Scegli un token"), token, nota);

  // La casella con il completamento: una combobox, con la lista che appartiene a lei.
  const lista = crea("ul.lab-proposte", { id: "lab-proposte", role: "listbox", "aria-label": "Parole del modello", hidden: true });
  const casella = crea("input", {
    id: "lab-parola", type: "text", role: "combobox", autocomplete: "off", autocapitalize: "none", spellcheck: "false",
    "aria-expanded": "false", "aria-controls": "lab-proposte", "aria-autocomplete": "list",
  });
  const alPosto = crea("input", { type: "checkbox" });
  const alPostoDi = crea("span");
  const parole = crea("div.lab-gruppi");
  const esempi = crea("div.lab-bottoni");
  const elemento = crea("div.lab-compositore", {}, scelta,
    crea("div.lab-scrivi", {},
      crea("label", { for: "lab-parola" }, "Scrivi una parola"),
      crea("div.lab-combo", {}, casella, lista),
      crea("label.lab-spunta", {}, alPosto, alPostoDi),
      crea("div.lab-bottoni", {},
        crea("button", { type: "button", onclick: () => azioni.togli(vista.stato.parole.length - 1) }, "Togli l’ultimo"),
        crea("button", { type: "button", onclick: () => azioni.frase([]) }, "Ricomincia"))),
    crea("details.lab-parole", {}, crea("summary", {}, "Tutte le parole"), parole),
    crea("div.lab-esempi", { role: "group", "aria-label": "Frasi pronte" }, crea("span", {}, "Frasi pronte"), esempi));

  let vista = null;
  let attiva = -1;
  let proposte = [];

  const chiudi = () => {
    lista.hidden = true;
    attiva = -1;
    casella.setAttribute("aria-expanded", "false");
    casella.removeAttribute("aria-activedescendant");
  };
  const evidenzia = (n) => {
    attiva = n;
    [...lista.children].forEach((voce, k) => voce.setAttribute("aria-selected", String(k === n)));
    if (n < 0) return casella.removeAttribute("aria-activedescendant");
    casella.setAttribute("aria-activedescendant", lista.children[n].id);
    lista.children[n].scrollIntoView({ block: "nearest" });
  };
  /** Ciò che è già scritto, fino all'ultimo spazio, e la parola che si sta scrivendo. */
  const scritto = () => casella.value.match(/^(.*\s)?(\S*)$/s).slice(1).map((pezzo) => pezzo ?? "");
  const proponi = () => {
    const cercata = semplice(scritto()[1]);
    proposte = vista.modello.vocabulary.filter((parola) => semplice(parola).startsWith(cercata) || semplice(parola) === `-${cercata}`);
    lista.replaceChildren(...proposte.map((parola, n) => crea("li", {
      id: `lab-proposta-${n}`, role: "option", "aria-selected": "false",
      onmousedown: (evento) => evento.preventDefault(), // il fuoco resta alla casella; al tocco, la lista scorre
      onclick: () => completa(parola),
    }, parola)));
    lista.hidden = !proposte.length;
    casella.setAttribute("aria-expanded", String(!lista.hidden));
    evidenzia(-1);
  };
  const accetta = (tokens) => {
    chiudi();
    const va = alPosto.checked && tokens.length === 1 && vista.traccia ? azioni.sostituisci(tokens[0]) : azioni.aggiungi(tokens);
    if (va) casella.value = ""; // se no resta lì, da correggere
  };
  /** La frase scritta nella casella, se il modello la sa leggere tutta; la punteggiatura non conta. */
  const leggi = (testo) => {
    const { tokens, unknown } = split_words(testo.replace(/[.,;:!?…«»“”"()]/g, " "), vista.modello.vocabulary);
    if (tokens.length && !unknown.length) accetta(tokens);
    else if (unknown.length) azioni.avvisa(`Il modello non conosce «${unknown.join(" ")}». Sa ${vista.modello.vocabulary.length} parole in tutto: sono sotto «Tutte le parole».`);
  };
  const completa = (parola) => leggi(scritto()[0] + parola);
  const invio = () => {
    if (attiva >= 0) return completa(proposte[attiva]);
    const sola = proposte.length === 1 && !vista.modello.vocabulary.includes(scritto()[1]);
    return sola && !lista.hidden ? completa(proposte[0]) : leggi(casella.value);
  };
  casella.addEventListener("input", proponi);
  casella.addEventListener("click", proponi);
  casella.addEventListener("blur", chiudi);
  casella.addEventListener("keydown", (evento) => {
    const { key } = evento;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (lista.hidden) proponi();
      const passo = key === "ArrowDown" ? 1 : -1;
      if (proposte.length) evidenzia((attiva + passo + proposte.length + (attiva < 0 && passo < 0 ? 1 : 0)) % proposte.length);
    } else if (key === "Enter") invio();
    else if (key === "Escape") chiudi();
    else if (key === "Backspace" && casella.value === "") azioni.togli(vista.stato.parole.length - 1);
    else return;
    evento.preventDefault();
  });

  token.addEventListener("keydown", (evento) => {
    if (evento.key !== "Delete" && evento.key !== "Backspace") return;
    evento.preventDefault();
    azioni.togli(vista.stato.token, true);
  });
  token.addEventListener("pointerleave", () => azioni.prova(null));

  let scritta = null;
  let pesi = null;
  let tessere = [];

  function mostra(nuova) {
    vista = nuova;
    const { stato, modello, i, traccia } = vista;
    if (stato.pesi !== pesi) {
      pesi = stato.pesi;
      esempi.replaceChildren(...ESEMPI[pesi].map((frase) => crea("button", {
        type: "button", onclick: () => azioni.frase(frase.split(" ")),
      }, `${frase.replace(/-$/, "…")}`)));
      parole.replaceChildren(...lingua.gruppi.map(({ nome, parole: voci }) => [nome, voci.filter((voce) => modello.vocabulary.includes(voce))])
        .filter(([, voci]) => voci.length).map(([nome, voci]) => crea("div", { role: "group", "aria-label": nome }, crea("span", {}, nome),
          ...voci.map((voce) => crea("button", { type: "button", onclick: () => accetta([voce]) }, voce)))));
    }
    const chiave = stato.parole.join(" ");
    if (chiave !== scritta) {
      scritta = chiave;
      tessere = stato.parole.map((parola, n) => {
        const radio = crea("input", { type: "radio", name: "lab-token", value: n, onchange: () => azioni.scegli(n) });
        const peso = crea("span.lab-peso", { "aria-hidden": "true" });
        const tessera = crea("label.lab-tessera", { onpointerenter: (e) => e.pointerType === "mouse" && azioni.prova(n) }, radio,
          crea("span.lab-parola", {}, parola), peso, crea("span.lab-riempi", { "aria-hidden": "true" }));
        return { tessera, radio, peso };
      });
      token.replaceChildren(...tessere.map(({ tessera }) => tessera));
    }
    tessere.forEach(({ tessera, radio, peso }, n) => {
      const valore = traccia.layers[stato.layer].heads[stato.head].weights[i][n];
      radio.checked = n === stato.token;
      tessera.classList.toggle("guarda", n === i);
      tessera.style.setProperty("--peso", valore);
      scrivi_in(peso, traccia.layers[stato.layer].heads[stato.head].mask[i][n] ? percento(valore) : "·");
    });
    alPostoDi.parentElement.hidden = nota.hidden = !traccia;
    if (!traccia) return;
    scrivi_in(alPostoDi, `al posto di «${stato.parole[stato.token]}»`);
    scrivi_in(nota, `Sotto ogni token, quanto lo guarda «${stato.parole[i]}»${modello.n_layers * modello.n_heads > 1 ? `, nel layer ${stato.layer + 1}, head ${stato.head + 1}` : ""}.`);
  }
  const fuoco = (n) => (tessere[n]?.radio ?? casella).focus();
  return { elemento, mostra, fuoco };
}
