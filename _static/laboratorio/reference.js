// L'attenzione, riga per riga: le funzioni di attnkit/reference.py, con gli stessi nomi e gli stessi passi.
// Un vettore è un array di numeri, una matrice è un array di righe: una riga per token.

export const dot = (a, b) => a.reduce((sum, value, d) => sum + value * b[d], 0);
export const add = (a, b) => a.map((value, d) => value + b[d]);
export const transpose = (A) => A[0].map((_, j) => A.map((row) => row[j]));

/** Il prodotto fra matrici, A @ B. */
export function matmul(A, B) {
  const columns = transpose(B);
  return A.map((row) => columns.map((column) => dot(row, column)));
}

/** Da punteggi con segno a pesi che sommano a uno. Dove tutto è -Infinity i pesi sono tutti zero. */
export function softmax(scores) {
  const largest = Math.max(...scores);
  if (largest === -Infinity) return scores.map(() => 0);
  const exponentials = scores.map((score) => Math.exp(score - largest)); // al più 1: nessun overflow
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

/** Prima della maschera: il prodotto scalare di ogni query con ogni key. */
export const products = (Q, K) => Q.map((query) => K.map((key) => dot(query, key)));

/** I punteggi: prodotti scalari per `scale`, e -Infinity dove la maschera nasconde. */
export const attention_scores = (Q, K, { mask, scale = 1 / Math.sqrt(Q[0].length) }) =>
  products(Q, K).map((row, i) => row.map((product, j) => (mask[i][j] ? product * scale : -Infinity)));

/** Prima fase: quanto conta ogni token per ogni altro. */
export const attention_weights = (Q, K, options) => attention_scores(Q, K, options).map(softmax);

/** Seconda fase: la somma dei value, ciascuno per il proprio peso. */
export const combine = (weights, V) => matmul(weights, V);

/** Le due fasi insieme. */
export function attention(Q, K, V, options) {
  const weights = attention_weights(Q, K, options);
  return { output: combine(weights, V), weights };
}

/** Porta a uno la media dei quadrati di un vettore, poi lo scala componente per componente. */
export function rms_norm(x, gain) {
  const rms = Math.sqrt(dot(x, x) / x.length + 1e-5);
  return x.map((value, d) => (value / rms) * gain[d]);
}
