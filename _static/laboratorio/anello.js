// Un anello di dispositivi: chi tiene quali token, dove sono key e value, chi lavora e chi aspetta, un passo alla volta.

import { mostrata } from "./frase.js";
import { cornice, crea, scrivi_in, tabella as tabellaDi, traccia } from "./pezzi.js";
import { LAYOUTS, simulate } from "./ring.js";
import { leggi, nonVa, scrivi } from "./stato.js";
import { decimale, elenco, intero, legenda, percento, restaAlTitolo } from "./strumenti.js";

const NOMI = { contiguous: "contigua", zigzag: "zigzag", striped: "a strisce" };
const SPIEGA = {
  contiguous: "Ogni dispositivo tiene una fetta della sequenza.",
  zigzag: "La sequenza è tagliata in fette, due per dispositivo: una dall’inizio e la sua simmetrica dal fondo.",
  striped: "Ogni dispositivo tiene un token ogni tanti quanti sono i dispositivi.",
};
const INIZIO = { dispositivi: 4, disposizione: "contiguous", maschera: "causale", token: 16, passo: 1 };
const MASCHERE = ["causale", "nessuna"];
const MENO_DISPOSITIVI = 2, PIU_DISPOSITIVI = 8, PIU_TOKEN = 512;
const PAUSA = 1600;                                          // millesimi, fra un passo e l'altro

const fra = (testo, minimo, massimo) => /^\d+$/.test(testo ?? "") && Number(testo) >= minimo && Number(testo) <= massimo;

/** Ciò che dice l'indirizzo, dove dice qualcosa di possibile, e gli avvisi sul resto. */
function dallIndirizzo() {
  const avvisi = [];
  const prendi = (nome, va, partenza) => {
    const detto = leggi(`anello-${nome}`);
    if (detto !== null && !va(detto)) avvisi.push(nonVa(`anello-${nome}`, detto));
    return detto !== null && va(detto) ? detto : partenza;
  };
  const dispositivi = Number(prendi("dispositivi", (testo) => fra(testo, MENO_DISPOSITIVI, PIU_DISPOSITIVI), INIZIO.dispositivi));
  const stato = {
    dispositivi,
    disposizione: prendi("disposizione", (testo) => LAYOUTS.includes(testo), INIZIO.disposizione),
    maschera: prendi("maschera", (testo) => MASCHERE.includes(testo), INIZIO.maschera),
    token: Number(prendi("token", (testo) => fra(testo, dispositivi, PIU_TOKEN), INIZIO.token)),
    passo: Number(prendi("passo", (testo) => fra(testo, 1, dispositivi), 1)),
  };
  return { stato, avvisi };
}

const nellIndirizzo = (stato) =>
  scrivi(Object.fromEntries(Object.entries(stato).map(([nome, valore]) => [`anello-${nome}`, valore === INIZIO[nome] ? null : valore])));

/** Le posizioni come le direbbe una persona: "0–3", "0, 1, 14 e 15", "2, 6, … 14". */
function inParole(posizioni, disposizione) {
  if (disposizione === "striped" && posizioni.length > 3) return `${posizioni[0]}, ${posizioni[1]}, … ${posizioni.at(-1)}`;
  const tratti = [];
  for (const p of posizioni) {
    if (tratti.length && tratti.at(-1)[1] === p - 1) tratti.at(-1)[1] = p;
    else tratti.push([p, p]);
  }
  return tratti.map(([da, a]) => (da === a ? `${da}` : `${da}–${a}`)).join(", ");
}

/** Fino a quale passo il blocco di ciascuno serve ancora a qualcuno. */
const utileFinoA = ({ steps, ranks }) =>
  Array.from({ length: ranks }, (_, blocco) => Math.max(...steps.filter((s) => s.holds === blocco && s.pairs).map((s) => s.step)));

/** Quanto del colore di key e value tinge il blocco: lo stesso dovunque compaia. */
const tinta = (blocco, P) => `--quota:${Math.round(8 + (42 * blocco) / P)}%`;

// Il disegno dell'anello ---------------------------------------------------------------------------------------

const ALTO = 70;

/** Dove stanno i dispositivi, in un riquadro largo `largo`: in cerchio, in senso orario. */
function posti(P, largo) {
  // Fra un riquadro e il vicino resta posto per una freccia: dove i dispositivi sono tanti, i riquadri si stringono.
  const seno = Math.sin((2 * Math.PI) / P);
  const riquadro = P < 5 ? 88 : Math.max(58, Math.min(88, Math.floor(((largo / 2 - 4) * seno - 22) / (1 + seno / 2))));
  const [rx, ry] = [(largo - riquadro) / 2 - 4, P === 2 ? 0 : P < 5 ? 112 : P < 7 ? 148 : 172];
  const alto = 2 * ry + ALTO + 16 + (P === 2 ? 70 : 0);
  const inizio = P === 2 ? Math.PI : -Math.PI / 2;
  const centri = Array.from({ length: P }, (_, r) => {
    const angolo = inizio + (2 * Math.PI * r) / P;
    return [largo / 2 + rx * Math.cos(angolo), (P === 2 ? ALTO / 2 + 8 : alto / 2) + ry * Math.sin(angolo)];
  });
  return { riquadro, alto, centri, mezzo: P === 2 ? alto - 34 : alto / 2 };
}

/** La linea fra due vicini, dal bordo di un riquadro a quello dell'altro. */
function linea([x0, y0], [x1, y1], riquadro, P) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const bordo = Math.min((riquadro / 2 + 4) / Math.max(Math.abs(dx), 1e-9), (ALTO / 2 + 4) / Math.max(Math.abs(dy), 1e-9), 0.44);
  const scosta = P === 2 ? -13 * Math.sign(dx) : 0;          // con due dispositivi le linee sono due, e non si coprono
  return { x1: x0 + bordo * dx, y1: y0 + bordo * dy + scosta, x2: x1 - bordo * dx, y2: y1 - bordo * dy + scosta };
}

function disegnaAnello(svg, corsa, utile, stato, largo, chip) {
  const P = stato.dispositivi, n = stato.passo - 1;
  const { riquadro, alto, centri, mezzo } = posti(P, largo);
  const ora = corsa.steps.filter((s) => s.step === n);
  const carico = Math.max(...ora.map((s) => s.pairs));
  svg.setAttribute("viewBox", `0 0 ${largo} ${alto}`);
  svg.setAttribute("width", largo);
  svg.setAttribute("height", alto);
  svg.classList.toggle("piccolo", riquadro < 70);
  const sotto = traccia("g", { class: "sotto" });
  for (const s of ora) {
    const [x, y] = centri[s.rank];
    const parte = utile[s.holds] > n;
    sotto.append(traccia("line", { class: parte ? "spedisce" : "ferma", ...linea([x, y], centri[(s.rank + 1) % P], riquadro, P),
                                   "marker-end": parte ? "url(#anello-punta)" : null }));
    const sinistra = x - riquadro / 2, cima = y - ALTO / 2;
    const coppie = `${intero(s.pairs)} ${s.pairs === 1 ? "coppia" : "coppie"}`;
    const largaKV = riquadro - 40;
    sotto.append(traccia("g", { class: s.pairs ? "dispositivo lavora" : "dispositivo" },
      traccia("rect", { class: "corpo", x: sinistra, y: cima, width: riquadro, height: ALTO, rx: 6 }),
      traccia("text", { x, y: cima + 15, class: "nome" }, riquadro > 80 ? `dispositivo ${s.rank}` : `disp. ${s.rank}`),
      traccia("rect", { class: "query", x: sinistra + 6, y: cima + 20, width: 25, height: 20 }),
      traccia("text", { class: "query-nome", x: sinistra + 18.5, y: cima + 34 }, `Q${s.rank}`),
      traccia("rect", { class: "vuoto", x: sinistra + 34, y: cima + 20, width: largaKV, height: 20 }),
      traccia("rect", { class: "fatica-fondo", x: sinistra + 6, y: cima + 60, width: riquadro - 12, height: 4 }),
      traccia("rect", { class: "fatica", x: sinistra + 6, y: cima + 60, width: ((riquadro - 12) * s.pairs) / carico, height: 4 }),
      traccia("text", { x, y: cima + 55, class: "stato" }, !s.pairs ? "aspetta" : 7.4 * coppie.length < riquadro ? coppie : intero(s.pairs))));
    // Il blocco di key e value non si ridisegna: si sposta, e l'occhio lo segue.
    const blocco = chip[s.holds];
    blocco.style.transform = `translate(${sinistra + 34}px, ${cima + 20}px)`;
    blocco.classList.toggle("inutile", utile[s.holds] < n);
    blocco.querySelector("rect").setAttribute("width", largaKV);
    blocco.querySelector("text").setAttribute("x", largaKV / 2);
    blocco.querySelector("text").textContent = riquadro > 80 ? `K${s.holds} V${s.holds}` : `KV${s.holds}`;
  }
  const spedizione = n < Math.max(...utile) ? ["e intanto", "si spedisce"] : ["non si", "spedisce più"];
  sotto.append(traccia("text", { class: "centro-titolo", x: largo / 2, y: mezzo - 10 }, `passo ${n + 1} di ${P}`),
    ...spedizione.map((riga, n) => traccia("text", { class: "centro", x: largo / 2, y: mezzo + 8 + 15 * n }, riga)));
  svg.querySelector(".sotto").replaceWith(sotto);
}

// Il disegno della sequenza, e quello del tempo ------------------------------------------------------------------

/** La sequenza come una striscia: ogni tratto ha il numero di chi lo tiene, dove ci sta; vero se da qualche parte non ci sta. */
function disegnaSequenza(svg, corsa, stato, largo) {
  const T = stato.token, P = stato.dispositivi, cella = largo / T;
  const di = [];
  corsa.held.forEach((posizioni, r) => posizioni.forEach((p) => { di[p] = r; }));
  svg.setAttribute("viewBox", `0 0 ${largo} 30`);
  svg.setAttribute("width", largo);
  svg.setAttribute("height", 30);
  svg.replaceChildren();
  let stretti = false;
  for (let da = 0, a; da < T; da = a) {
    for (a = da + 1; a < T && di[a] === di[da];) a++;
    const larga = (a - da) * cella;
    svg.append(traccia("rect", { class: "tratto", x: da * cella, y: 1, width: larga, height: 28, style: `${tinta(di[da], P)};stroke-width:${larga > 4 ? 1 : 0}` }));
    if (larga > 12) svg.append(traccia("text", { x: (da + (a - da) / 2) * cella, y: 20 }, `${di[da]}`));
    else stretti = true;
  }
  if (cella > 8) for (let t = 1; t < T; t++) svg.append(traccia("line", { class: "taglio", x1: t * cella, x2: t * cella, y1: 23, y2: 29 }));
  return stretti;
}

/** Quanto lavora ciascuno nel tempo: in ogni passo tutti aspettano il più carico. */
function disegnaTempo(svg, corsa, stato, largo) {
  const P = stato.dispositivi, sinistra = 22, riga = 15, cima = 20;
  const durate = Array.from({ length: P }, (_, n) => Math.max(...corsa.steps.filter((s) => s.step === n).map((s) => s.pairs)));
  const unita = (largo - sinistra - 2) / durate.reduce((somma, durata) => somma + durata, 0);
  svg.setAttribute("viewBox", `0 0 ${largo} ${cima + P * riga + 4}`);
  svg.setAttribute("width", largo);
  svg.setAttribute("height", cima + P * riga + 4);
  svg.replaceChildren();
  for (let r = 0; r < P; r++) svg.append(traccia("text", { class: "riga", x: sinistra - 8, y: cima + r * riga + 12 }, `${r}`));
  let x = sinistra;
  durate.forEach((durata, n) => {
    const largaPasso = unita * durata;
    const momento = n === stato.passo - 1 ? "ora" : n < stato.passo - 1 ? "fatto" : "dopo";
    const gruppo = traccia("g", { class: momento });
    gruppo.append(traccia("rect", { class: "cornice", x, y: cima, width: largaPasso, height: P * riga }));
    for (const s of corsa.steps.filter((s) => s.step === n && s.pairs)) {
      gruppo.append(traccia("rect", { class: "lavoro", x: x + 1, y: cima + s.rank * riga + 2, width: Math.max(unita * s.pairs - 2, 0.5), height: riga - 4 }));
    }
    const nome = largaPasso > 54 ? `passo ${n + 1}` : largaPasso > 12 ? `${n + 1}` : "";
    gruppo.append(traccia("text", { class: "passo", x: x + largaPasso / 2, y: cima - 6 }, nome));
    svg.append(gruppo);
    x += largaPasso;
  });
}

// I comandi e la pagina ------------------------------------------------------------------------------------------

function avvia(radice) {
  const { stato, avvisi } = dallIndirizzo();
  let orologio = null;
  let chip = [];

  // Le scelte
  const quanti = crea("select", { id: "anello-dispositivi" },
    Array.from({ length: PIU_DISPOSITIVI - MENO_DISPOSITIVI + 1 }, (_, n) => crea("option", { value: n + MENO_DISPOSITIVI }, `${n + MENO_DISPOSITIVI}`)));
  const lunghezza = crea("input", { id: "anello-token", inputmode: "numeric", autocomplete: "off", size: "4", "aria-describedby": "anello-avviso" });
  const causale = crea("input", { type: "checkbox", id: "anello-causale" });
  const forme = LAYOUTS.map((nome) => crea("input", { type: "radio", name: "anello-disposizione", value: nome, id: `anello-${nome}` }));
  const avviso = crea("p", { class: "strumento-avviso", id: "anello-avviso", role: "status" });
  const spiega = crea("p", { class: "strumento-nota" });
  const scelte = crea("div", { class: "strumento-scelte" },
    crea("div", { class: "voce" }, crea("label", { for: "anello-dispositivi" }, "Dispositivi"), quanti),
    crea("div", { class: "voce" }, crea("label", { for: "anello-token" }, "Token"), lunghezza),
    crea("fieldset", { class: "voce" }, crea("legend", {}, "Disposizione"),
      crea("div", { class: "gruppo" }, forme.map((forma) => crea("label", {}, forma, ` ${NOMI[forma.value]}`)))),
    crea("div", { class: "voce sola" }, crea("label", {}, causale, " maschera causale")));

  // I passi
  const bottone = (testo, cosa) => crea("button", { type: "button", onclick: cosa }, testo);
  const indietro = bottone("← indietro", () => vai(stato.passo - 1));
  const avanti = bottone("avanti →", () => vai(stato.passo + 1));
  const daCapo = bottone("ricomincia", () => vai(1));
  const corri = bottone("da solo", () => (orologio ? ferma() : parti()));
  const scorri = crea("input", { type: "range", min: "1", step: "1", "aria-label": "Passo", oninput: () => vai(Number(scorri.value)) });
  const detto = crea("p", { class: "strumento-detto", "aria-live": "polite" });
  const comandi = crea("div", { class: "strumento-comandi" }, indietro, avanti, scorri, daCapo, corri);

  // I disegni
  const anello = traccia("svg", { class: "disegno-anello", role: "img", "aria-labelledby": "anello-detto" });
  detto.id = "anello-detto";
  const tempo = traccia("svg", { class: "disegno-tempo", role: "img" });
  const sequenza = traccia("svg", { class: "disegno-sequenza", role: "img" });
  const corpo = crea("tbody");
  const tabella = crea("table", { class: "strumento-tabella" },
    crea("caption", {}, "I numeri di questo passo"),
    crea("thead", {}, crea("tr", {}, ["disp.", "tiene i token", "ha in mano", "coppie ora", "in tutto"].map((nome, n) =>
      crea("th", { scope: "col", class: n > 2 ? "numero" : null }, nome)))), corpo);
  const lavoro = crea("p", { class: "strumento-detto" });
  const numeri = crea("details", { ontoggle: () => mostra() }, crea("summary", {}, "I numeri di tutti i passi"), crea("div"));
  const lato = crea("div", { class: "lato-disegno" }, anello);

  radice.replaceChildren(
    crea("div", { class: "strumento" }, scelte, avviso,
      crea("h3", { class: "strumento-titolo" }, "La sequenza: ogni tratto ha il numero del dispositivo che lo tiene"), sequenza, spiega,
      crea("div", { class: "strumento-passi", role: "group", "aria-label": "I passi dell’anello" }, comandi, detto,
        crea("div", { class: "due-lati" }, lato, cornice("I numeri di questo passo", tabella))),
      crea("h3", { class: "strumento-titolo" }, "Il lavoro, nel tempo: una riga per dispositivo"), tempo,
      crea("p", { class: "strumento-legenda" }, legenda("lavora", "lavora"), legenda("dopo", "lavorerà"), legenda("", "aspetta chi è più lento")),
      lavoro, numeri));

  function prepara() {
    const P = stato.dispositivi;
    chip = Array.from({ length: P }, (_, blocco) => traccia("g", { class: "blocco", style: tinta(blocco, P) },
      traccia("rect", { height: 20 }), traccia("text", { y: 14 })));
    anello.replaceChildren(
      traccia("defs", {}, traccia("marker", { id: "anello-punta", viewBox: "0 0 10 10", refX: 8, refY: 5, markerWidth: 5.5, markerHeight: 5.5, orient: "auto" },
        traccia("path", { d: "M0 0L10 5L0 10z", class: "punta" }))),
      traccia("g", { class: "sotto" }), ...chip);
  }

  function mostra() {
    const P = stato.dispositivi, n = stato.passo - 1, T = stato.token;
    const corsa = simulate(T, { ranks: P, causal: stato.maschera === "causale", layout: stato.disposizione });
    if (chip.length !== P) prepara();
    quanti.value = P;
    if (document.activeElement !== lunghezza) lunghezza.value = T;
    causale.checked = stato.maschera === "causale";
    for (const forma of forme) forma.checked = forma.value === stato.disposizione;
    scorri.max = P;
    scorri.value = stato.passo;
    scorri.setAttribute("aria-valuetext", `passo ${stato.passo} di ${P}`);
    indietro.setAttribute("aria-disabled", n === 0);
    daCapo.setAttribute("aria-disabled", n === 0);
    avanti.setAttribute("aria-disabled", n === P - 1);
    corri.textContent = orologio ? "ferma" : "da solo";

    const utile = utileFinoA(corsa);
    const largo = radice.clientWidth || 640;
    disegnaAnello(anello, corsa, utile, stato, Math.min(lato.clientWidth || largo, 400), chip);
    const stretti = disegnaSequenza(sequenza, corsa, stato, largo);
    disegnaTempo(tempo, corsa, stato, largo);

    const ora = corsa.steps.filter((s) => s.step === n);
    const somma = (r, ultimo) => corsa.steps.filter((s) => s.rank === r && s.step <= ultimo).reduce((tutte, s) => tutte + s.pairs, 0);
    corpo.replaceChildren(...ora.map((s) => crea("tr", {},
      crea("th", { scope: "row" }, `${s.rank}`),
      crea("td", { class: "intera" }, inParole(corsa.held[s.rank], stato.disposizione)),
      crea("td", { class: "intera" }, utile[s.holds] < n ? "–" : `K${s.holds} V${s.holds}`),
      crea("td", { class: "numero" }, s.pairs ? intero(s.pairs) : "aspetta"),
      crea("td", { class: "numero" }, intero(somma(s.rank, P))))),
    crea("tr", { class: "somma" }, crea("th", { scope: "row" }, "tutti"), crea("td"), crea("td"),
      crea("td", { class: "numero" }, intero(ora.reduce((tutte, s) => tutte + s.pairs, 0))),
      crea("td", { class: "numero" }, intero(corsa.done))));

    if (numeri.open) {
      numeri.lastChild.replaceChildren(tabellaDi("Coppie, dispositivo per dispositivo e passo per passo", [...Array.from({ length: P }, (_, passo) => `passo ${passo + 1}`), "in tutto"],
        Array.from({ length: P }, (_, r) => [`dispositivo ${r}`,
          [...corsa.steps.filter((s) => s.rank === r).sort((a, b) => a.step - b.step).map((s) => intero(s.pairs)), intero(somma(r, P))]])));
    }

    const aspettano = ora.filter((s) => !s.pairs).map((s) => s.rank);
    const nonRicevono = ora.every((s) => s.pairs || utile[s.holds] < n);
    const piu = Math.max(...ora.map((s) => s.pairs));
    const meno = ora.filter((s) => s.pairs && s.pairs < piu).map((s) => s.rank);
    const chi = (ranks) => (ranks.length === 1 ? `il dispositivo ${ranks[0]}` : `i dispositivi ${elenco(ranks)}`);
    const frasi = [`Passo ${n + 1} di ${P}.`];
    if (n === 0) frasi.push("Ciascuno comincia dalle proprie key.");
    if (!aspettano.length && !meno.length) frasi.push("Lavorano tutti, e finiscono insieme.");
    else if (!aspettano.length) frasi.push(`Lavorano tutti, ma ${chi(meno)} ${meno.length === 1 ? "finisce" : "finiscono"} prima.`);
    else frasi.push(`${aspettano.length === 1 ? "Aspetta" : "Aspettano"} ${chi(aspettano)}: ${nonRicevono ? `ciò che resta è tutto nel ${aspettano.length === 1 ? "suo" : "loro"} futuro, e nessuno glielo manda`
      : `${aspettano.length === 1 ? "ha" : "hanno"} in mano solo il futuro delle proprie query`}.`);
    const fermi = ora.filter((s) => s.pairs && utile[s.holds] === n).map((s) => `K${s.holds} V${s.holds}`);
    if (fermi.length && n < Math.max(...utile)) frasi.push(`Poi ${elenco(fermi)} non ${fermi.length === 1 ? "serve" : "servono"} più a nessuno.`);
    scrivi_in(detto, frasi.join(" "));
    scrivi_in(spiega, SPIEGA[stato.disposizione] + (stretti ? " Dove il tratto è troppo stretto per il numero, lo dice la tinta." : ""));
    scrivi_in(lavoro, `In tutto ${intero(corsa.done)} coppie. Se in ogni passo tutti lavorassero quanto il più carico, nello stesso tempo sarebbero ${intero(corsa.possible)}: l’efficienza è ${percento(corsa.efficiency)}.`);
    sequenza.setAttribute("aria-label", `La sequenza di ${T} token. ${corsa.held.map((posizioni, r) => `${r ? "i" : "I"}l dispositivo ${r} tiene ${inParole(posizioni, stato.disposizione)}`).join("; ")}.`);
    tempo.setAttribute("aria-label", `Una riga per dispositivo, il tempo da sinistra a destra. ${corsa.held.map((_, r) => `${r ? "i" : "I"}l dispositivo ${r} lavora il ${decimale((100 * somma(r, P) * P) / corsa.possible, 0)} % del tempo`).join("; ")}.`);
    nellIndirizzo(stato);
  }

  function vai(passo) {
    if (passo < 1 || passo > stato.dispositivi) return;
    stato.passo = passo;
    if (passo === stato.dispositivi) ferma();
    mostra();
  }
  function ferma() {
    clearInterval(orologio);
    orologio = null;
    corri.textContent = "da solo";
  }
  function parti() {
    if (stato.passo === stato.dispositivi) stato.passo = 1;
    orologio = setInterval(() => vai(stato.passo + 1), PAUSA);
    mostra();
  }
  function controllaToken() {
    const testo = lunghezza.value.trim();
    const va = fra(testo, stato.dispositivi, PIU_TOKEN);
    lunghezza.setAttribute("aria-invalid", !va);
    scrivi_in(avviso, va ? "" : `Token: mi aspettavo un intero da ${stato.dispositivi} a ${PIU_TOKEN}, ho trovato ${testo === "" ? "nulla" : testo}. Il disegno è rimasto a ${stato.token}.`);
    if (va) stato.token = Number(testo);
    return va;
  }

  quanti.addEventListener("change", () => {
    stato.dispositivi = Number(quanti.value);
    stato.passo = 1;
    ferma();
    controllaToken();
    mostra();
  });
  lunghezza.addEventListener("input", () => controllaToken() && mostra());
  causale.addEventListener("change", () => { stato.maschera = causale.checked ? "causale" : "nessuna"; mostra(); });
  for (const forma of forme) forma.addEventListener("change", () => { stato.disposizione = forma.value; mostra(); });
  scrivi_in(avviso, avvisi.join(" "));
  mostra();
  new ResizeObserver(mostra).observe(radice);
  addEventListener("popstate", () => {
    ferma();
    Object.assign(stato, dallIndirizzo().stato);
    mostra();
  });
  restaAlTitolo();
}

const radice = document.getElementById("lab-anello");
await mostrata;
if (radice) avvia(radice);
