// I numeri degli strumenti del laboratorio, scritti all'italiana. Gli elementi della pagina sono in pezzi.js.

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
