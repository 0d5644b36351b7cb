// L'anello, un passo alla volta: gli stessi nomi e gli stessi numeri di attnkit.ring.

export const LAYOUTS = ["contiguous", "zigzag", "striped"];

/** Una sequenza di T posizioni in `parts` fette; se T non si divide, le prime ne hanno una in più. */
const tensor_split = (T, parts) => {
  const slices = [];
  for (let n = 0, first = 0; n < parts; n++) {
    const length = Math.floor(T / parts) + (n < T % parts ? 1 : 0);
    slices.push(Array.from({ length }, (_, i) => first + i));
    first += length;
  }
  return slices;
};

/** Le posizioni che tiene ogni rank, crescenti: una lista di P liste. */
export function places(T, ranks, layout = "zigzag") {
  if (layout === "contiguous") return tensor_split(T, ranks);
  if (layout === "zigzag") {
    const slices = tensor_split(T, 2 * ranks);
    return Array.from({ length: ranks }, (_, r) => [...slices[r], ...slices[2 * ranks - 1 - r]]);
  }
  if (layout === "striped") {
    return Array.from({ length: ranks }, (_, r) => Array.from({ length: Math.ceil((T - r) / ranks) }, (_, n) => r + n * ranks));
  }
  throw new Error(`layout: mi aspettavo uno fra ${LAYOUTS.join(", ")}, ho trovato ${layout}`);
}

/** Quante coppie con j ≤ i, fra query e key in ordine crescente. */
function visible_pairs(queries, keys) {
  let seen = 0;
  let pairs = 0;
  for (const i of queries) {
    while (seen < keys.length && keys[seen] <= i) seen++;
    pairs += seen;
  }
  return pairs;
}

/**
 * Chi ha in mano che cosa, e quante coppie calcola, in ogni passo.
 *
 * `steps` va prima per passo e poi per rank, come in attnkit; `done` è il lavoro fatto, `possible` quello che si
 * sarebbe potuto fare se in ogni passo tutti lavorassero quanto il più carico. L'efficienza è done / possible.
 */
export function simulate(T, { ranks, causal = true, layout = "zigzag" }) {
  const held = places(T, ranks, layout);
  const steps = [];
  let [done, possible] = [0, 0];
  for (let step = 0; step < ranks; step++) {
    let longest = 0;
    for (let rank = 0; rank < ranks; rank++) {
      const holds = (rank - step + ranks) % ranks;
      const pairs = causal ? visible_pairs(held[rank], held[holds]) : held[rank].length * held[holds].length;
      steps.push({ step, rank, holds, pairs });
      done += pairs;
      longest = Math.max(longest, pairs);
    }
    possible += ranks * longest;
  }
  return { held, steps, ranks, done, possible, efficiency: done / possible };
}
