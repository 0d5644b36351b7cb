// I pezzi comuni agli strumenti del laboratorio: elementi, numeri all'italiana, tabelle che scorrono.

const SVG = "http://www.w3.org/2000/svg";

const riempi = (elemento, attributi, figli) => {
  for (const [chiave, valore] of Object.entries(attributi)) {
    if (chiave.startsWith("on")) elemento.addEventListener(chiave.slice(2), valore);
    else if (valore !== null && valore !== false && valore !== undefined) elemento.setAttribute(chiave, valore === true ? "" : valore);
  }
  elemento.append(...figli.flat().filter((figlio) => figlio !== null && figlio !== undefined));
  return elemento;
};

/** Un elemento della pagina; un attributo `onxxx` ascolta, uno falso non si scrive. */
export const crea = (nome, attributi = {}, ...figli) => riempi(document.createElement(nome), attributi, figli);

/** Un elemento di un disegno SVG. */
export const traccia = (nome, attributi = {}, ...figli) => riempi(document.createElementNS(SVG, nome), attributi, figli);

/** Scrive un testo solo se è cambiato: chi ascolta la pagina non sente ripetere. */
export const scrivi_in = (elemento, testo) => {
  if (elemento.textContent !== testo) elemento.textContent = testo;
};

/** Un intero come lo scrive il corso: 4096, ma 16.384. */
export const intero = (valore) => {
  const cifre = String(valore);
  return cifre.length < 5 ? cifre : cifre.replace(/\B(?=(\d{3})+$)/g, ".");
};

/** Virgola decimale. */
export const decimale = (valore, cifre = 2) => valore.toFixed(cifre).replace(".", ",");

/** Una frazione in percentuale, con una cifra; un valore piccolissimo o quasi intero non diventa 0 o 100. */
export const percento = (frazione) => {
  if (frazione > 0 && frazione < 0.0005) return "< 0,1 %";
  if (frazione < 1 && frazione > 0.9995) return "> 99,9 %";
  return `${decimale(100 * frazione, 1).replace(/,0$/, "")} %`;
};

/** Il rapporto fra due BigInt, come numero: basta a disegnare e a tre cifre. */
export const rapporto = (sopra, sotto) => Number(sopra) / Number(sotto);

/** "0, 1 e 2". */
export const elenco = (voci) => (voci.length < 2 ? voci.join("") : `${voci.slice(0, -1).join(", ")} e ${voci.at(-1)}`);

/** Ciò che può scorrere di lato si raggiunge con la tastiera, e ha un nome. */
export function cornice(nome, ...figli) {
  const elemento = crea("div", { class: "strumento-cornice" }, ...figli);
  new ResizeObserver(() => {
    const scorre = elemento.scrollWidth > elemento.clientWidth + 1;
    for (const [chiave, valore] of [["tabindex", "0"], ["role", "group"], ["aria-label", nome]]) {
      if (scorre) elemento.setAttribute(chiave, valore);
      else elemento.removeAttribute(chiave);
    }
  }).observe(elemento);
  return elemento;
}
