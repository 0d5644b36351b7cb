// Ciò che l'anello e i conti hanno in comune: i numeri scritti all'italiana, la legenda, l'indirizzo. Gli altri elementi sono in pezzi.js.

import { crea } from "./pezzi.js";

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

/** Chi è arrivato a un titolo ci resta, anche se sopra è cresciuto qualcosa; non se intanto si è mosso da sé. */
let mosso = false;
for (const gesto of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(gesto, () => { mosso = true; }, { once: true, passive: true });
export function restaAlTitolo() {
  if (location.hash && !mosso) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView({ behavior: "instant" });
}

/** Una voce di legenda: il campione, e che cosa vuol dire. */
export const legenda = (classe, testo) => crea("span", { class: "voce-legenda" }, crea("span", { class: `campione ${classe}`.trim() }), testo);

/** "0, 1 e 2". */
export const elenco = (voci) => (voci.length < 2 ? voci.join("") : `${voci.slice(0, -1).join(", ")} e ${voci.at(-1)}`);
