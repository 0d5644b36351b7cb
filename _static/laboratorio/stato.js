// Lo stato del laboratorio sta nell'indirizzo: una pagina con lo stesso indirizzo mostra la stessa cosa.
// Ogni parte della pagina usa nomi suoi (frase, layer, dispositivi, modello…), e gli altri restano come sono.

/** Ciò che l'indirizzo dice di `nome`, o null se non dice nulla. */
export const leggi = (nome) => new URLSearchParams(location.search).get(nome);

/** Ciò che nell'indirizzo non va bene, detto a chi legge. */
export const nonVa = (nome, testo) => `Nell’indirizzo, ${nome}=${testo.slice(0, 40)} non va bene: uso il valore di partenza.`;

/** La domanda di un collegamento, più ciò che l'indirizzo di adesso dice con i nomi che cominciano così. */
export function unisci(domanda, inizi) {
  const tutti = new URLSearchParams(domanda);
  for (const [nome, valore] of new URLSearchParams(location.search)) {
    if (inizi.some((inizio) => nome.startsWith(inizio)) && !tutti.has(nome)) tutti.set(nome, valore);
  }
  return `?${tutti}`;
}

/** Scrive nell'indirizzo ciascun valore; null toglie il nome. Non aggiunge passi alla cronologia del browser. */
export const scrivi = (valori) => {
  const tutti = new URLSearchParams(location.search);
  for (const [nome, valore] of Object.entries(valori)) {
    if (valore === null) tutti.delete(nome);
    else tutti.set(nome, String(valore));
  }
  const domanda = tutti.size ? `?${tutti}` : "";
  history.replaceState(null, "", location.pathname + domanda + location.hash);
};
