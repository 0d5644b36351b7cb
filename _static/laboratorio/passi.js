// I sei passi di un token: query, punteggi, pesi, value, somma, risposta. Ogni disegno è anche una tabella con i suoi numeri.

import { nascosta } from "./griglia.js";
import { barra, cornice, crea, massimo, numero, peso_scritto, quadratini, scrivi_in, tabella } from "./pezzi.js";

const QUANTE = 5; // parole mostrate fra le previsioni

/** Una tabella del passo: titolo per chi ascolta, colonne con il loro nome, corpo. */
const tavola = (titolo, colonne, corpo) => cornice(titolo, crea(`table.lab-passo${colonne.length < 3 ? ".stretta" : ""}`, {},
  crea("caption.visually-hidden", {}, titolo),
  crea("thead", {}, crea("tr", {}, ...colonne.map((colonna) => crea("th", { scope: "col" }, ...[colonna].flat())))), corpo));
const casella = (testo) => crea("td.cifra", {}, testo ?? "");

/** Le parole più probabili di una riga, dalla prima. */
export const previste = (probabilita, quante = QUANTE) =>
  probabilita.map((p, parola) => [p, parola]).sort((a, b) => b[0] - a[0]).slice(0, quante).map(([, parola]) => parola);

/** Le barre delle parole che il modello prevede, ciascuna con un pulsante che la aggiunge alla frase. */
export function creaPrevisione(azioni) {
  const righe = Array.from({ length: QUANTE }, () => {
    const { elemento, mostra } = barra("output");
    const parola = crea("th", { scope: "row" });
    const pulsante = crea("button", { type: "button", onclick: () => azioni.aggiungi([parola.textContent]) }, "+");
    return { riga: crea("tr", {}, parola, crea("td.larga", {}, elemento), crea("td", {}, pulsante)), parola, mostra, pulsante };
  });
  const titolo = crea("caption");
  const elemento = crea("table.lab-passo.lab-previsione", {}, titolo,
    crea("thead.visually-hidden", {}, crea("tr", {}, ...["Parola", "Probabilità", "Aggiungi"].map((nome) => crea("th", { scope: "col" }, nome)))),
    crea("tbody", {}, ...righe.map(({ riga }) => riga)));
  const mostra = ({ modello, traccia, stato, i }) => {
    scrivi_in(titolo, `Dopo «${stato.parole[i]}» il modello prevede`);
    previste(traccia.probabilities[i]).forEach((n, k) => {
      scrivi_in(righe[k].parola, modello.vocabulary[n]);
      righe[k].mostra(traccia.probabilities[i][n]);
      righe[k].pulsante.setAttribute("aria-label", `Aggiungi ${modello.vocabulary[n]} in fondo alla frase`);
    });
  };
  return { elemento, mostra };
}

/** `azioni`: taglia(i, j). */
export function creaPassi(azioni) {
  const titolo = crea("h3");
  const contenuto = crea("div");
  const elemento = crea("div.lab-passi", {}, titolo, contenuto);
  let chiave = null;
  let vista = null;
  let pezzi = null;

  function costruisci() {
    const { modello, stato: { parole } } = vista;
    const { head_dim: Dh, d_model: D, n_heads } = modello;
    const passo = (nome, testo, ...figli) => crea("li", {}, crea("h4", {}, nome), crea("p", {}, ...testo), ...figli);
    const vettore = (colore, lunghezza) => quadratini(colore, 1, lunghezza);

    const normato = vettore("inchiostro", D);
    const query = vettore("query", Dh);
    const query_di_nuovo = vettore("query", Dh);
    const chi_cerca = crea("th", { scope: "row" });
    const confronti = parole.map((parola, j) => {
      const key = vettore("key", Dh);
      const value = vettore("value", Dh);
      const pesato = vettore("value", Dh);
      const [peso, quota] = [barra("weight"), barra("weight")];
      const [prodotto, punteggio] = [casella(), casella()];
      const arco = crea("input", { type: "checkbox", onchange: () => azioni.taglia(vista.i, j) });
      return {
        key, value, pesato, peso, quota, prodotto, punteggio, arco,
        sopra: crea("tr", {}, crea("th", { scope: "row" }, parola), crea("td", {}, key.disegno), prodotto, punteggio,
          crea("td.larga", {}, peso.elemento), crea("td.arco", {}, arco)),
        sotto: crea("tr", {}, crea("th", { scope: "row" }, parola), crea("td.larga", {}, quota.elemento), crea("td", {}, value.disegno),
          crea("td", {}, pesato.disegno)),
      };
    });
    const output = vettore("output", Dh);
    const nomi = ["prima", ...Array.from({ length: n_heads }, (_, h) => (n_heads > 1 ? `+ head ${h + 1}` : "+ head")), "dopo"];
    const flusso = nomi.map((nome, k) => {
      const disegno = vettore(k === 0 || k === nomi.length - 1 ? "inchiostro" : "output", D);
      const testo = crea("th", { scope: "row" }, nome);
      return { ...disegno, testo, riga: crea("tr", {}, testo, crea("td", {}, disegno.disegno)) };
    });
    const risposte = Array.from({ length: QUANTE }, () => {
      const probabilita = barra("output");
      const [parola, logit, diviso] = [crea("th", { scope: "row" }), casella(), casella()];
      return { parola, logit, diviso, probabilita, riga: crea("tr", {}, parola, logit, diviso, crea("td.larga", {}, probabilita.elemento)) };
    });
    const [divisore, temperatura, dove, fine] = [crea("span"), crea("span"), crea("p"), crea("p")];
    const numeri = crea("details", { ontoggle: () => aggiornaNumeri() }, crea("summary", {}, "I numeri di questo token"), crea("div"));

    contenuto.replaceChildren(dove, crea("ol", {},
      passo("Che cosa cerca", ["Il vettore del token, normalizzato, si moltiplica per W", crea("sub", {}, "Q"), ": il risultato è la sua query. Un quadratino è un numero: pieno se è positivo, vuoto se è negativo, tanto più grande quanto più è lontano da zero."],
        tavola("La query", ["che cosa", "numeri"], crea("tbody", {},
          crea("tr", {}, crea("th", { scope: "row" }, "vettore"), crea("td", {}, normato.disegno)),
          crea("tr", {}, crea("th", { scope: "row" }, "query"), crea("td", {}, query.disegno))))),
      passo("Quanto conta ogni token", ["La query si confronta con ogni key, componente per componente. Il prodotto si divide, la maschera nasconde ciò che non si può vedere, e la softmax trasforma i punteggi in pesi che sommano a uno."],
        tavola("Dalla query ai pesi", ["token", "key", "q · k", crea("span", {}, "diviso ", divisore), "peso", "arco"],
          crea("tbody", {}, crea("tr.domanda", {}, chi_cerca, crea("td", {}, query_di_nuovo.disegno), crea("td", { colspan: 4 }, "la sua query")),
            ...confronti.map(({ sopra }) => sopra)))),
      passo("Che cosa ne prende", ["Ogni token porta un value. Se ne prende una parte grande quanto il peso, e si somma tutto: è l’uscita della head."],
        tavola("Dai pesi all’uscita", ["token", "peso", "value", "peso × value"], crea("tbody", {}, ...confronti.map(({ sotto }) => sotto),
          crea("tr.somma", {}, crea("th", { scope: "row" }, "somma"), crea("td"), crea("td"), crea("td", {}, output.disegno))))),
      passo("Il ritorno", ["L’uscita di ogni head si moltiplica per le sue righe di W", crea("sub", {}, "O"), ", e si somma al vettore che c’era prima: è il residuo."],
        tavola("Il vettore prima e dopo", ["quando", "numeri"], crea("tbody", {}, ...flusso.map(({ riga }) => riga)))),
      passo("La risposta", ["Alla fine ogni parola del vocabolario riceve un logit. Diviso per la temperatura, passa per un’altra softmax."],
        fine, tavola("Dai logit alle probabilità", ["parola", "logit", crea("span", {}, "diviso ", temperatura), "probabilità"],
          crea("tbody", {}, ...risposte.map(({ riga }) => riga))))), numeri);
    pezzi = { normato, query, query_di_nuovo, chi_cerca, confronti, output, flusso, risposte, divisore, temperatura, dove, fine, numeri };
  }

  function aggiornaNumeri() {
    const { numeri } = pezzi;
    if (!numeri.open) return;
    const { modello, stato, traccia, i } = vista;
    const layer = traccia.layers[stato.layer];
    const head = layer.heads[stato.head];
    const cifre = (vettore) => vettore.map((valore) => numero(valore, 3));
    const posti = (quanti) => Array.from({ length: quanti }, (_, n) => String(n + 1));
    numeri.lastChild.replaceChildren(
      tabella("Il vettore, normalizzato", posti(modello.d_model), [[stato.parole[i], cifre(layer.normed[i])]]),
      tabella("Query e key", posti(modello.head_dim), [[`query di ${stato.parole[i]}`, cifre(head.q[i])],
        ...stato.parole.map((parola, j) => [`key di ${parola}`, cifre(head.k[j])])]),
      tabella("Dai prodotti ai pesi", ["q · k", "punteggio", "peso"], stato.parole.map((parola, j) =>
        [parola, [numero(head.products[i][j], 3), numero(head.scores[i][j], 3), peso_scritto(head.weights[i][j])]])),
      tabella("Value e uscita", posti(modello.head_dim), [...stato.parole.map((parola, j) => [`value di ${parola}`, cifre(head.v[j])]),
        ...stato.parole.map((parola, j) => [`peso × value di ${parola}`, cifre(head.v[j].map((valore) => head.weights[i][j] * valore))]),
        ["uscita della head", cifre(head.output[i])]]),
      tabella("Il ritorno", posti(modello.d_model), [["prima", cifre(layer.x[i])],
        ...layer.heads.map((una, h) => [`+ head ${h + 1}`, cifre(una.update[i])]), ["dopo", cifre(layer.y[i])]]));
  }

  function mostra(nuova) {
    vista = nuova;
    const { modello, stato, traccia, i } = vista;
    if (chiave !== stato.pesi + stato.parole) {
      chiave = stato.pesi + stato.parole;
      costruisci();
    }
    const layer = traccia.layers[stato.layer];
    const head = layer.heads[stato.head];
    const token = stato.parole[i];
    const p = pezzi;
    scrivi_in(titolo, `Passo per passo: «${token}»`);
    scrivi_in(p.dove, modello.n_layers * modello.n_heads > 1
      ? `Sei nel layer ${stato.layer + 1} di ${modello.n_layers}, head ${stato.head + 1} di ${modello.n_heads}${head.silent ? ", che tace" : ""}.` : "");
    scrivi_in(p.chi_cerca, token);
    scrivi_in(p.divisore, stato.divisore === null ? `√${modello.head_dim}` : numero(stato.divisore));
    scrivi_in(p.temperatura, numero(stato.temperatura));

    const [grande, grandeV] = [massimo(head.q[i], ...head.k), massimo(...head.v)];
    p.normato.mostra([layer.normed[i]], massimo(layer.normed[i]));
    p.query.mostra([head.q[i]], grande);
    p.query_di_nuovo.mostra([head.q[i]], grande);
    p.confronti.forEach((riga, j) => {
      const motivo = nascosta(vista, i, j);
      const peso = head.weights[i][j];
      riga.sopra.classList.toggle("nascosto", motivo !== null);
      riga.sotto.classList.toggle("nascosto", motivo !== null);
      riga.key.mostra([head.k[j]], grande);
      scrivi_in(riga.prodotto, numero(head.products[i][j]));
      scrivi_in(riga.punteggio, numero(head.scores[i][j]));
      riga.peso.mostra(peso, motivo ?? undefined);
      riga.quota.mostra(peso, motivo ?? undefined);
      riga.value.mostra([head.v[j]], grandeV);
      riga.pesato.mostra([head.v[j].map((valore) => peso * valore)], grandeV);
      riga.arco.checked = motivo === null;
      riga.arco.disabled = motivo !== null && motivo !== "tagliato";
      riga.arco.setAttribute("aria-label", `L’arco da ${token} a ${stato.parole[j]}`);
    });
    p.output.mostra([head.output[i]], grandeV);

    const vettori = [layer.x[i], ...layer.heads.map((una) => una.update[i]), layer.y[i]];
    const grandeD = massimo(...vettori);
    vettori.forEach((vettore, k) => p.flusso[k].mostra([vettore], grandeD));
    layer.heads.forEach((una, h) => scrivi_in(p.flusso[h + 1].testo, `+ head ${modello.n_heads > 1 ? h + 1 : ""}${una.silent ? " (tace)" : ""}`));
    scrivi_in(p.fine, stato.layer < modello.n_layers - 1 ? `Da qui il vettore entra nel layer ${stato.layer + 2}; questi sono i logit alla fine.` : "");
    previste(traccia.probabilities[i]).forEach((n, k) => {
      const riga = p.risposte[k];
      scrivi_in(riga.parola, modello.vocabulary[n]);
      scrivi_in(riga.logit, numero(traccia.logits[i][n]));
      scrivi_in(riga.diviso, numero(traccia.logits[i][n] / stato.temperatura));
      riga.probabilita.mostra(traccia.probabilities[i][n]);
    });
    aggiornaNumeri();
  }
  return { elemento, mostra };
}
