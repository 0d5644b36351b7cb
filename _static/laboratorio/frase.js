// «Una frase, passo per passo»: tiene lo stato, fa girare il modello quando qualcosa cambia, e mostra.
// Il modello è in modello.js, i suoi conti in reference.js; qui c'è solo ciò che si tocca.

import { creaCompositore } from "./compositore.js";
import { creaGriglia, nascosta } from "./griglia.js";
import { LIMITI, MODELLI, SCHEMI, leggi_stato, opzioni, partenza, scrivi_stato } from "./indirizzo.js";
import { load } from "./modello.js";
import { creaPassi, creaPrevisione, previste } from "./passi.js";
import { crea, numero, percento, scrivi_in } from "./pezzi.js";
import { leggi, unisci } from "./stato.js";

const radice = document.getElementById("lab-frase");
const modelli = new Map(); // quelli già scaricati
let modello, stato, traccia, intatta, lingua;
let provato = null; // il token sotto il puntatore, se ce n'è uno
let richiesta = 0; // l'ultimo modello chiesto: se intanto se ne chiede un altro, non si mostra
let in_attesa = 0; // il prossimo disegno, già prenotato
let da_scrivere = 0;

async function prendi(pesi) {
  if (!modelli.has(pesi)) modelli.set(pesi, await load(pesi));
  return modelli.get(pesi);
}

/** Il modello chiesto diventa quello in uso; falso se nel frattempo se n'è chiesto un altro, o se non arriva. */
async function usa(pesi) {
  const mia = ++richiesta;
  try {
    const preso = await prendi(pesi);
    if (mia === richiesta) modello = preso;
  } catch (errore) {
    if (!stato) throw errore; // alla prima apertura non c'è nulla da tenere
    if (mia === richiesta) avvisa(`Il modello non è arrivato: ${errore.message}. Resta quello di prima.`);
    quale.select.value = stato.pesi;
    return false;
  }
  return mia === richiesta;
}

// Lo stato cambia ---------------------------------------------------------------------------------------------

/** Cambia lo stato, rifà i conti e mostra. */
function cambia(nuovo) {
  Object.assign(stato, nuovo);
  if (stato.parole.length) {
    const T = stato.parole.length;
    stato.token = Math.min(stato.token, T - 1);
    stato.tagli = stato.tagli.filter(([, , i, j]) => i < T && j < T);
    traccia = modello.forward(stato.parole, opzioni(stato, modello));
    intatta = interventi() ? modello.forward(stato.parole) : traccia;
  } else traccia = null;
  if ("parole" in nuovo || "token" in nuovo) provato = null;
  clearTimeout(da_scrivere); // non a ogni passo di un cursore: i browser lo vietano
  da_scrivere = setTimeout(() => stato.parole.length && scrivi_stato(stato, modello, lingua.esempio), 150);
  disegna();
}

const interventi = () => stato.divisore !== null || stato.temperatura !== 1 || stato.schema !== "causale"
  || stato.kv !== modello.n_heads || stato.tagli.length + stato.mute.length > 0;

/** Se c'è lo toglie, se non c'è lo mette. */
function alterna(elenco, voce) {
  const senza = elenco.filter((altra) => altra.join() !== voce.join());
  return senza.length < elenco.length ? senza : [...elenco, voce];
}

const azioni = {
  aggiungi(tokens) {
    const parole = [...stato.parole, ...tokens];
    const limite = Math.min(modello.max_tokens, LIMITI.token);
    if (parole.length > limite) return avvisa(`Al più ${limite} token: ${modello.position ? "il modello ha imparato solo quei posti" : "di più non starebbero nella pagina"}.`); // e non è aggiunto nulla
    avvisa("");
    cambia({ parole, token: parole.length - 1 });
    return true;
  },
  sostituisci(token) {
    avvisa("");
    if (!stato.parole.length) return azioni.aggiungi([token]);
    cambia({ parole: stato.parole.map((parola, n) => (n === stato.token ? token : parola)) });
    return true;
  },
  togli(posto, fuoco = false) {
    if (!stato.parole.length) return;
    avvisa("");
    const parole = stato.parole.filter((_, n) => n !== posto);
    const tagli = stato.tagli.filter(([, , i, j]) => i < posto && j < posto); // gli altri cambierebbero token
    cambia({ parole, tagli, token: Math.max(0, stato.token >= posto ? Math.min(stato.token, parole.length - 1) : stato.token) });
    if (fuoco) requestAnimationFrame(() => compositore.fuoco(stato.token));
  },
  frase(parole) {
    avvisa("");
    cambia({ parole, tagli: [], token: Math.max(0, parole.length - 1) });
  },
  scegli: (token) => cambia({ token }),
  prova(posto) {
    if (provato === posto) return;
    provato = posto;
    disegna();
  },
  testa: (layer, head) => cambia({ layer, head }),
  taglia(i, j) {
    const motivo = nascosta({ stato, traccia }, i, j);
    const [chi, cosa] = [stato.parole[i], stato.parole[j]];
    if (motivo && motivo !== "tagliato") return avvisa(`«${chi}» non vede «${cosa}» (${motivo}): non c’è un arco da tagliare.`, griglia.avviso);
    avvisa("");
    return cambia({ tagli: alterna(stato.tagli, [stato.layer, stato.head, i, j]) });
  },
  avvisa,
};

async function cambia_modello(pesi) {
  if (!await usa(pesi)) return;
  const nuovo = partenza(modello, lingua.esempio, pesi);
  const conosce = stato.parole.every((parola) => modello.vocabulary.includes(parola)) && stato.parole.length <= modello.max_tokens;
  if (conosce && stato.parole.length) Object.assign(nuovo, { parole: stato.parole, token: stato.token });
  avvisa(conosce ? "" : "Il modello che hai scelto non sa leggere quella frase: riparto dalla frase del corso.");
  cambia(nuovo);
}

// I comandi ---------------------------------------------------------------------------------------------------

/** Un cursore che raddoppia ogni dieci passi, con al centro il valore di partenza. */
function cursore(nome, spiega, chiave, centro) {
  const id = `lab-${chiave}`;
  const uscita = crea("output", { for: id, "aria-live": "off" }); // chi ascolta lo sente già dal cursore
  const input = crea("input", { id, type: "range", min: -40, max: 40, step: 1, oninput: () => {
    const n = Number(input.value);
    cambia({ [chiave]: n === 0 ? partenza(modello, lingua.esempio, stato.pesi)[chiave] : Number((centro() * 2 ** (n / 10)).toPrecision(3)) });
  } });
  const reset = crea("button", { type: "button", "aria-label": `${nome}: torna al valore di partenza`, onclick: () => { cambia({ [chiave]: partenza(modello, lingua.esempio, stato.pesi)[chiave] }); } }, "↺");
  const mostra = (valore, testo) => {
    if (document.activeElement !== input || valore === centro()) input.value = Math.round(10 * Math.log2(valore / centro()));
    input.setAttribute("aria-valuetext", testo);
    scrivi_in(uscita, testo);
  };
  return { elemento: crea("div.lab-cursore", {}, crea("label", { for: id }, nome), uscita, input, reset, crea("p.lab-nota", {}, spiega)), mostra };
}

const scegli = (id, nome, voci, onchange) => {
  const select = crea("select", { id, onchange: () => onchange(select.value) }, ...voci.map(([valore, testo]) => crea("option", { value: valore }, testo)));
  return { elemento: crea("div.lab-scelta", {}, crea("label", { for: id }, nome), select), select };
};

const quale = scegli("lab-modello", "Modello", Object.entries(MODELLI), cambia_modello);
const schema = scegli("lab-schema", "Chi vede chi", Object.entries(SCHEMI).map(([valore, { nome }]) => [valore, nome]), (valore) => cambia({ schema: valore }));
const larghezza = crea("output", { for: "lab-passo", "aria-live": "off" });
const passo = crea("input", { id: "lab-passo", type: "range", min: LIMITI.passo[0], max: LIMITI.passo[1], step: 1, oninput: () => cambia({ passo: Number(passo.value) }) });
const nome_del_passo = crea("label", { for: "lab-passo" });
const scelta_del_passo = crea("div.lab-cursore", {}, nome_del_passo, larghezza, passo);
const kv = scegli("lab-kv", "Head di key e value", [], (valore) => cambia({ kv: Number(valore) }));
const nota_kv = crea("p.lab-nota");
const divisore = cursore("Divisore dei punteggi", "Parte da √dₖ. Più piccolo, pesi più netti; più grande, pesi più uguali.", "divisore", () => Math.sqrt(modello.head_dim));
const temperatura = cursore("Temperatura della risposta", "Divide i logit, all’ultimo passo: non cambia chi guarda chi.", "temperatura", () => 1);
const muta = crea("input", { type: "checkbox", onchange: () => cambia({ mute: alterna(stato.mute, [stato.layer, stato.head]) }) });
const nome_della_head = crea("span");
const ricuci = crea("button", { type: "button", onclick: () => cambia({ tagli: [] }) }, "Ricuci tutti gli archi");
const rimetti = crea("button", { type: "button", onclick: () => {
  const { parole, token, layer, head } = stato;
  avvisa("");
  cambia({ ...partenza(modello, lingua.esempio, stato.pesi), parole, token, layer, head });
} }, "Rimetti tutto com’era");

const avviso = crea("p.lab-avviso", { role: "status" });
/** Un avviso compare vicino a ciò che l'ha causato, e toglie quello di prima. */
function avvisa(testo, dove = avviso) {
  for (const posto of [avviso, griglia.avviso]) scrivi_in(posto, posto === dove ? testo : "");
}

const compositore = creaCompositore({ get gruppi() { return lingua.gruppi; } }, azioni);
const griglia = creaGriglia(azioni);
const previsione = creaPrevisione(azioni);
const passi = creaPassi(azioni);
const risposta = crea("p.lab-risposta", { "aria-live": "polite" });
const riassunto = crea("p.lab-riassunto");
const risultati = crea("div", {},
  previsione.elemento,
  crea("h3", {}, "Chi guarda chi"),
  crea("div.lab-affiancati", {}, griglia.elemento, crea("fieldset.lab-regole", {}, crea("legend", {}, "Cambia le regole"),
    crea("label.lab-spunta", {}, muta, nome_della_head),
    schema.elemento, scelta_del_passo, kv.elemento, nota_kv, divisore.elemento, temperatura.elemento,
    crea("div.lab-bottoni", {}, ricuci, rimetti))),
  riassunto, passi.elemento);

// Mostrare ----------------------------------------------------------------------------------------------------

/** Prenota un disegno: per quanti cambi arrivino, se ne fa uno solo per ogni immagine dello schermo. */
function disegna() {
  in_attesa ||= requestAnimationFrame(() => {
    in_attesa = 0;
    mostra();
  });
}

function mostra() {
  const vista = { modello, stato, traccia, i: provato ?? stato.token };
  compositore.mostra(vista);
  quale.select.value = stato.pesi;
  risultati.hidden = risposta.hidden = !traccia;
  if (!traccia) return avvisa("La frase è vuota: scrivi la prima parola.");
  for (const parte of [previsione, griglia, passi]) parte.mostra(vista);
  mostra_i_comandi();
  mostra_la_risposta();
  return undefined;
}

function mostra_i_comandi() {
  const { numero: nome } = SCHEMI[stato.schema];
  schema.select.value = stato.schema;
  scelta_del_passo.hidden = nome === null;
  scrivi_in(nome_del_passo, nome ?? "");
  scrivi_in(larghezza, String(stato.passo));
  passo.value = stato.passo;
  const voci = [];
  for (let n = modello.n_heads; n >= 1; n--) {
    if (modello.n_heads % n === 0) voci.push([n, n === modello.n_heads ? `${n}, una per query head (MHA)` : n === 1 ? "1, in comune (MQA)" : `${n} (GQA)`]);
  }
  if (kv.select.length !== voci.length) kv.select.replaceChildren(...voci.map(([valore, testo]) => crea("option", { value: valore }, testo)));
  kv.select.value = stato.kv;
  kv.elemento.hidden = nota_kv.hidden = modello.n_heads === 1;
  scrivi_in(nota_kv, stato.kv < modello.n_heads
    ? "Le key e i value del gruppo sono la media di quelli imparati. Il modello è nato con una coppia per head: condividerle così, senza riaddestrarlo, lo guasta."
    : "Con due head si può scegliere solo fra due e una: la GQA, che sta in mezzo, ne vuole almeno quattro.");
  muta.checked = stato.mute.some(([l, h]) => l === stato.layer && h === stato.head);
  scrivi_in(nome_della_head, modello.n_layers * modello.n_heads > 1 ? `Fai tacere layer ${stato.layer + 1}, head ${stato.head + 1}` : "Fai tacere la head");
  divisore.mostra(stato.divisore ?? Math.sqrt(modello.head_dim), stato.divisore === null ? `√${modello.head_dim} = ${numero(Math.sqrt(modello.head_dim))}` : numero(stato.divisore));
  temperatura.mostra(stato.temperatura, numero(stato.temperatura));
  ricuci.setAttribute("aria-disabled", !stato.tagli.length); // disabled toglierebbe il fuoco a chi l'ha appena premuto
  rimetti.setAttribute("aria-disabled", !interventi());
}

/** La prima parola prevista in fondo alla frase, e con quanta probabilità. */
function prima({ probabilities }) {
  const ultima = probabilities.at(-1);
  const [parola] = previste(ultima, 1);
  return `«${modello.vocabulary[parola]}», ${percento(ultima[parola])}`;
}

function mostra_la_risposta() {
  const dopo = `Dopo «${stato.parole.at(-1)}» prevede ${prima(traccia)}`;
  const testo = interventi() ? `${dopo}. Senza interventi: ${prima(intatta)}.` : `${dopo}.`;
  if (risposta.textContent !== testo) { // si annuncia solo ciò che cambia; un token non si spezza al suo trattino
    risposta.replaceChildren(...testo.split(/(«[^»]+»)/).map((pezzo, n) => (n % 2 ? crea("span.intero", {}, pezzo) : pezzo)));
  }
  risposta.classList.toggle("cambiata", interventi() && prima(traccia).split(",")[0] !== prima(intatta).split(",")[0]);
  const { tagli, mute, parole } = stato;
  scrivi_in(riassunto, [
    `${MODELLI[stato.pesi]}. Schema ${SCHEMI[stato.schema].nome}${SCHEMI[stato.schema].numero ? ` (${stato.passo})` : ""}`,
    `head di key e value: ${stato.kv}`, `divisore ${stato.divisore === null ? `√${modello.head_dim}` : numero(stato.divisore)}`,
    `temperatura ${numero(stato.temperatura)}`,
    tagli.length ? `archi tagliati: ${tagli.map(([l, h, i, j]) => `${parole[i]} → ${parole[j]} (layer ${l + 1}, head ${h + 1})`).join(", ")}` : "nessun arco tagliato",
    mute.length ? `head che tacciono: ${mute.map(([l, h]) => `layer ${l + 1}, head ${h + 1}`).join("; ")}` : "",
  ].filter(Boolean).join("; ") + ".");
}

// Si comincia -------------------------------------------------------------------------------------------------

/** Lo stato che l'indirizzo chiede, mostrato. */
async function ricomincia() {
  const chiesti = leggi("pesi") ?? "toy";
  const pesi = Object.hasOwn(MODELLI, chiesti) ? chiesti : "toy";
  if (!await usa(pesi)) return;
  const letto = leggi_stato(modello, lingua.esempio, pesi);
  stato = letto.stato;
  provato = null;
  if (pesi !== chiesti) letto.avvisi.unshift(`Nell’indirizzo, pesi=${chiesti.slice(0, 40)} non è un modello che conosco.`);
  avvisa(letto.avvisi.join(" "));
  cambia({});
}

/** I collegamenti di questa parte della pagina che portano uno stato cambiano il laboratorio senza ricaricarla. */
function segui(evento) {
  const link = evento.target.closest?.('a[href^="?"]');
  if (!link || evento.button || evento.ctrlKey || evento.metaKey || evento.shiftKey) return;
  evento.preventDefault();
  clearTimeout(da_scrivere);
  history.pushState(null, "", unisci(link.search, ["anello", "modello"]) + link.hash);
  ricomincia().then(() => {
    radice.scrollIntoView({ behavior: "instant", block: "start" });
    radice.focus({ preventScroll: true });
  });
}

async function avvia() {
  const chiesti = leggi("pesi") === "toy-due-layer" ? "toy-due-layer" : "toy";
  const dati = fetch(new URL("dati/lingua.json", import.meta.url)).then((arrivata) => arrivata.json());
  [lingua] = await Promise.all([dati, prendi(chiesti)]);
  await ricomincia();
  cancelAnimationFrame(in_attesa);
  in_attesa = 0;
  mostra();
  radice.replaceChildren(quale.elemento, compositore.elemento, avviso, risultati, risposta);
  radice.tabIndex = -1; // un collegamento della pagina ci porta anche il fuoco
  performance.mark("lab-frase");
  addEventListener("popstate", ricomincia);
  radice.closest("section").addEventListener("click", segui);
}

/** Si compie quando la frase è sullo schermo: le altre parti della pagina stanno più in basso, e la lasciano passare. */
export const mostrata = avvia()
  .catch((errore) => radice.replaceChildren(crea("p", {}, `Il laboratorio non parte: ${errore.message}.`)))
  .then(() => new Promise((fatto) => requestAnimationFrame(() => setTimeout(fatto))));
