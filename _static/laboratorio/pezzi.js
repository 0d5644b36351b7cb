// I pezzi con cui il laboratorio disegna: elementi, numeri all'italiana, vettori come file di quadratini.

const SVG = "http://www.w3.org/2000/svg";

const riempi = (elemento, attributi, figli) => {
  for (const [chiave, valore] of Object.entries(attributi)) {
    if (chiave.startsWith("on")) elemento.addEventListener(chiave.slice(2), valore);
    else if (valore !== null && valore !== false && valore !== undefined) elemento.setAttribute(chiave, valore === true ? "" : valore);
  }
  elemento.append(...figli.flat().filter((figlio) => figlio !== null && figlio !== undefined));
  return elemento;
};

const nato = (nome, fai, attributi, figli) => {
  const [tipo, ...classi] = nome.split("."); // come in uno stile: «table.lab-numeri»
  const elemento = fai(tipo);
  if (classi.length) elemento.setAttribute("class", classi.join(" "));
  return riempi(elemento, attributi, figli);
};

/** Un elemento della pagina; un attributo `onxxx` ascolta, uno falso non si scrive. */
export const crea = (nome, attributi = {}, ...figli) => nato(nome, (tipo) => document.createElement(tipo), attributi, figli);

/** Un elemento di un disegno SVG. */
export const traccia = (nome, attributi = {}, ...figli) => nato(nome, (tipo) => document.createElementNS(SVG, tipo), attributi, figli);

/** Scrive solo se è cambiato: il browser non rifà ciò che era già giusto. */
export function scrivi_in(elemento, testo) {
  if (elemento.textContent !== testo) elemento.textContent = testo;
}

/** Virgola decimale, segno meno vero, mai davanti a uno zero. */
export function numero(valore, cifre = 2) {
  if (valore === -Infinity) return "−∞";
  const testo = valore.toFixed(cifre);
  return (Number(testo) === 0 ? testo.replace("-", "") : testo).replace("-", "−").replace(".", ",");
}

/** Una frazione come percentuale intera; dove l'arrotondamento direbbe zero o cento, lo si dice. */
export function percento(frazione) {
  const scritto = frazione === 0 || frazione === 1 ? `${100 * frazione} %`
    : frazione < 0.01 ? "< 1 %" : frazione > 0.99 ? "> 99 %" : `${Math.round(100 * frazione)} %`;
  return scritto.replaceAll(" ", "\u00a0"); // non si spezza su due righe
}

/** Un peso con tre cifre; uno piccolissimo non diventa zero. */
export const peso_scritto = (peso) => (peso > 0 && peso < 0.0005 ? "< 0,001" : numero(peso, 3));

/** Il lato di un quadratino: è l'area a dire la grandezza. */
const lato = (valore, massimo) => 0.86 * Math.sqrt(Math.min(1, Math.abs(valore) / massimo));
const quadrato = (riga, colonna, l) =>
  `M${colonna + 0.5 - l / 2} ${riga + 0.5 - l / 2}h${l}v${l}h${-l}z`;

/** Una matrice di quadratini: area = grandezza, pieno = positivo, vuoto = negativo. Si aggiorna con `mostra`. */
export function quadratini(colore, righe, colonne, attributi = {}) {
  const reticolo = [];
  for (let j = 1; j < colonne; j++) reticolo.push(`M${j} 0V${righe}`);
  for (let i = 1; i < righe; i++) reticolo.push(`M0 ${i}H${colonne}`);
  const pieni = traccia("path.pieni");
  const vuoti = traccia("path.vuoti");
  const disegno = traccia(`svg.quadratini.${colore}`, {
    viewBox: `-0.06 -0.06 ${colonne + 0.12} ${righe + 0.12}`, style: `--colonne:${colonne}`, "aria-hidden": "true", ...attributi,
  }, traccia("path.reticolo", { d: reticolo.join("") }), traccia("rect.cornice", { width: colonne, height: righe }), vuoti, pieni);
  const mostra = (matrice, massimo) => {
    let [d, v] = ["", ""];
    matrice.forEach((riga, i) => riga.forEach((valore, j) => {
      const l = lato(valore, massimo);
      if (l < 0.02) return;
      if (valore > 0) d += quadrato(i, j, l);
      else v += quadrato(i, j, l);
    }));
    pieni.setAttribute("d", d);
    vuoti.setAttribute("d", v);
  };
  return { disegno, mostra };
}

/** Il più grande, in valore assoluto, fra i numeri di più vettori. */
export const massimo = (...vettori) => Math.max(1e-9, ...vettori.flat().map(Math.abs));

/** Una barra lunga quanto una frazione, con il suo numero accanto. */
export function barra(colore) {
  const testo = crea("span.barra-numero");
  const elemento = crea(`span.barra.${colore}`, {}, crea("span.barra-fondo", { "aria-hidden": "true" }, crea("span.barra-piena")), testo);
  const piena = elemento.querySelector(".barra-piena");
  const mostra = (frazione, scritto = percento(frazione)) => {
    piena.style.transform = `scaleX(${frazione})`;
    scrivi_in(testo, scritto);
  };
  return { elemento, mostra };
}

/** Ciò che scorre di lato dentro la propria cornice si raggiunge con la tastiera, e ha un nome. */
export function cornice(nome, ...figli) {
  const elemento = crea("div.lab-cornice", {}, ...figli);
  const osservatore = new ResizeObserver(() => {
    if (elemento.scrollWidth > elemento.clientWidth + 1) raggiungibile(elemento, nome);
    else for (const attributo of ["tabindex", "role", "aria-label"]) elemento.removeAttribute(attributo);
  });
  for (const osservato of [elemento, ...elemento.children]) osservatore.observe(osservato);
  return elemento;
}

function raggiungibile(elemento, nome) {
  for (const [attributo, valore] of [["tabindex", "0"], ["role", "group"], ["aria-label", nome]]) elemento.setAttribute(attributo, valore);
  return elemento;
}

/** Una tabella di numeri: una riga per nome, una colonna per intestazione. */
export function tabella(titolo, intestazioni, righe) {
  return raggiungibile(crea("div.lab-cornice", {}, crea("table.lab-numeri", {}, crea("caption", {}, titolo),
    crea("thead", {}, crea("tr", {}, crea("td"), ...intestazioni.map((testo) => crea("th", { scope: "col" }, testo)))),
    crea("tbody", {}, ...righe.map(([nome, valori]) =>
      crea("tr", {}, crea("th", { scope: "row" }, nome), ...valori.map((valore) => crea("td", {}, valore))))))), titolo);
}
