// Chi può guardare chi: le maschere di attnkit/masks.py, con gli stessi nomi. True = visibile.
// Una maschera è un predicato con un nome: la query in posizione i vede la key in posizione j?

const mask = (T, visible) => Array.from({ length: T }, (_, i) => Array.from({ length: T }, (_, j) => visible(i, j)));
const block = (position, stride) => Math.floor(position / stride);

/** Tutti vedono tutti, anche il futuro. */
export const full = (T) => mask(T, () => true);

/** Ogni token vede sé stesso e tutti quelli che lo precedono. */
export const causal = (T) => mask(T, (i, j) => j <= i);

/** Gli ultimi `window` token, sé stesso compreso. */
export const sliding_window = (T, window) => mask(T, (i, j) => j <= i && i - j < window);

/** Gli ultimi `stride` token, più un token ogni `stride` fino all'inizio. */
export const strided = (T, stride) => mask(T, (i, j) => j <= i && (i - j < stride || (i - j) % stride === 0));

/** Il proprio blocco, più le ultime `summary` colonne di ogni blocco precedente. */
export const fixed = (T, stride, summary = 1) =>
  mask(T, (i, j) => j <= i && (block(j, stride) === block(i, stride) || j % stride >= stride - summary));

/** Quante coppie si vedono. */
export const edges = (visible) => visible.flat().filter(Boolean).length;
