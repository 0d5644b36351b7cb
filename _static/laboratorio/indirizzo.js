// Dall'indirizzo allo stato del laboratorio, e ritorno. Nell'indirizzo si conta da uno, come nei capitoli; dentro, da zero.
// Un valore che non va bene non ferma nulla: si dice quale, e si usa quello di partenza.

import * as masks from "./masks.js";
import { split_words } from "./modello.js";
import { leggi, nonVa, scrivi } from "./stato.js";

export const MODELLI = {
  toy: "Capitoli 1–6: un layer, una head, con le posizioni",
  "toy-due-layer": "Capitolo 6: due layer da due head, senza posizioni",
};
export const SCHEMI = { // ogni schema: il nome che si legge, la maschera, e che cosa vuol dire il suo numero
  causale: { nome: "causale", mask: (T) => masks.causal(T), numero: null },
  completo: { nome: "completo, anche il futuro", mask: (T) => masks.full(T), numero: null },
  finestra: { nome: "finestra", mask: masks.sliding_window, numero: "Token nella finestra" },
  strided: { nome: "strided", mask: masks.strided, numero: "Stride" },
  fixed: { nome: "fixed", mask: (T, stride) => masks.fixed(T, stride), numero: "Lunghezza di un blocco" },
};
export const LIMITI = { divisore: [0.1, 100], temperatura: [0.05, 20], passo: [1, 8], token: 24 };

/** Lo stato di partenza di un modello: la frase del corso, l'ultimo token, l'ultimo layer, nessun intervento. */
export const partenza = (modello, esempio, pesi) => ({
  pesi, parole: [...esempio], token: esempio.length - 1, layer: modello.n_layers - 1, head: 0,
  divisore: null, temperatura: 1, schema: "causale", passo: 3, kv: modello.n_heads, tagli: [], mute: [],
});

const terne = (testo) => testo.split(",").filter(Boolean).map((pezzo) => pezzo.split("-").map((n) => Number(n) - 1));
const intero = (n, quanti) => Number.isInteger(n) && n >= 0 && n < quanti;

/** Lo stato che l'indirizzo chiede, e gli avvisi su ciò che non si è potuto fare. */
export function leggi_stato(modello, esempio, pesi) {
  const stato = partenza(modello, esempio, pesi);
  const avvisi = [];
  const prendi = (nome, converti, chiave = nome) => {
    const testo = leggi(nome);
    if (testo === null) return;
    const valore = converti(testo);
    if (valore === undefined) avvisi.push(nonVa(nome, testo));
    else stato[chiave] = valore;
  };
  const posto = (quanti) => (testo) => (intero(Number(testo) - 1, quanti) ? Number(testo) - 1 : undefined);
  const fra = ([minimo, massimo]) => (testo) => {
    const valore = Number(testo.replace(",", ".") || NaN);
    return valore >= minimo && valore <= massimo ? valore : undefined;
  };

  prendi("frase", (testo) => {
    const { tokens, unknown } = split_words(testo, modello.vocabulary);
    const limite = Math.min(modello.max_tokens, LIMITI.token);
    return tokens.length && !unknown.length && tokens.length <= limite ? tokens : undefined;
  }, "parole");
  stato.token = stato.parole.length - 1;
  prendi("token", posto(stato.parole.length));
  prendi("layer", posto(modello.n_layers));
  prendi("head", posto(modello.n_heads));
  prendi("divisore", fra(LIMITI.divisore));
  prendi("temperatura", fra(LIMITI.temperatura));
  prendi("schema", (testo) => (Object.hasOwn(SCHEMI, testo) ? testo : undefined));
  prendi("passo", (testo) => (Number.isInteger(Number(testo)) ? fra(LIMITI.passo)(testo) : undefined));
  prendi("kv", (testo) => (Number(testo) >= 1 && modello.n_heads % Number(testo) === 0 ? Number(testo) : undefined));
  const T = stato.parole.length;
  const limiti = [modello.n_layers, modello.n_heads, T, T];
  const validi = (lunghezza) => (testo) => {
    const letti = terne(testo);
    return letti.every((voce) => voce.length === lunghezza && voce.every((n, k) => intero(n, limiti[k]))) ? letti : undefined;
  };
  prendi("tagli", validi(4));
  prendi("mute", validi(2));
  return { stato, avvisi };
}

/** Scrive nell'indirizzo ciò che è diverso dalla partenza. */
export function scrivi_stato(stato, modello, esempio) {
  const base = partenza(modello, esempio, stato.pesi);
  const se = (diverso, valore) => (diverso ? valore : null);
  const elenco = (voci) => (voci.length ? voci.map((voce) => voce.map((n) => n + 1).join("-")).join(",") : null);
  const numerato = SCHEMI[stato.schema].numero !== null;
  scrivi({
    pesi: se(stato.pesi !== "toy", stato.pesi),
    frase: se(stato.parole.join(" ") !== base.parole.join(" "), stato.parole.join(" ")),
    token: se(stato.token !== stato.parole.length - 1, stato.token + 1),
    layer: se(stato.layer !== base.layer, stato.layer + 1),
    head: se(stato.head !== base.head, stato.head + 1),
    divisore: stato.divisore,
    temperatura: se(stato.temperatura !== 1, stato.temperatura),
    schema: se(stato.schema !== "causale", stato.schema),
    passo: se(numerato && stato.passo !== base.passo, stato.passo),
    kv: se(stato.kv !== modello.n_heads, stato.kv),
    tagli: elenco(stato.tagli),
    mute: elenco(stato.mute),
  });
}

/** Ciò che lo stato chiede al modello, con i nomi di `forward`. */
export const opzioni = (stato, modello) => ({
  pattern: (T) => SCHEMI[stato.schema].mask(T, stato.passo),
  scale: 1 / (stato.divisore ?? Math.sqrt(modello.head_dim)),
  temperature: stato.temperatura, n_kv_heads: stato.kv, edges: stato.tagli, heads: stato.mute,
});
