// Il modello del corso: embedding, uno o più layer di attenzione, logit. È il ToyTransformer di attnkit/toy/modello.py,
// con gli stessi pesi, letti dallo stesso file; in più, conserva ogni numero che incontra.

import { causal } from "./masks.js";
import { add, attention_scores, combine, matmul, products, rms_norm, softmax } from "./reference.js";
import { read } from "./safetensors.js";

const DATI = new URL("dati/", import.meta.url);

/** Scarica un modello spedito con il corso: "toy" o "toy-due-layer". */
export async function load(name) {
  const risposta = await fetch(new URL(`${name}.safetensors`, DATI));
  if (!risposta.ok) throw new Error(`i pesi di ${name} non arrivano (${risposta.status})`);
  return new ToyTransformer(read(await risposta.arrayBuffer()));
}

export class ToyTransformer {
  constructor({ arrays, about }) {
    this.vocabulary = about.vocabulary;
    this.n_heads = about.n_heads;
    this.embedding = arrays.embedding; // (parole, D)
    this.position = arrays.position ?? null; // (T, D)
    this.final_norm = arrays.final_norm;
    this.Wout = arrays.Wout; // (D, parole)
    this.d_model = arrays.embedding[0].length;
    this.max_tokens = this.position ? this.position.length : Infinity;
    this.n_layers = Object.keys(arrays).filter((name) => name.endsWith("Wq")).length;
    this.layers = Array.from({ length: this.n_layers }, (_, n) => {
      const prefix = this.n_layers > 1 ? `layers.${n}.` : "";
      return Object.fromEntries(["norm", "Wq", "Wk", "Wv", "Wo"].map((name) => [name, arrays[prefix + name]]));
    });
    this.head_dim = this.layers[0].Wq[0].length / this.n_heads;
  }

  /** Il numero di ogni token; un errore se il modello non li conosce o sono troppi. */
  encode(tokens) {
    if (!tokens.length || tokens.length > this.max_tokens) {
      throw new Error(`mi aspettavo da 1 a ${this.max_tokens} token, ne ho trovati ${tokens.length}`);
    }
    return tokens.map((token) => {
      const place = this.vocabulary.indexOf(token);
      if (place < 0) throw new Error(`il modello non conosce «${token}»`);
      return place;
    });
  }

  /**
   * Una frase, passo per passo.
   *
   * options: pattern (da T alla maschera), n_kv_heads, scale (moltiplica i prodotti), temperature (divide i logit),
   * edges (archi tagliati, [layer, head, i, j]) e heads (head tagliate, [layer, head]): tutti contati da zero.
   */
  forward(tokens, options = {}) {
    const { pattern = causal, temperature = 1 } = options;
    let x = this.encode(tokens).map((word, i) =>
      this.position ? add(this.embedding[word], this.position[i]) : this.embedding[word]);
    const visible = pattern(tokens.length);
    const layers = this.layers.map((_, n) => {
      const layer = this.layer(n, x, visible, options);
      x = layer.y;
      return layer;
    });
    const logits = matmul(x.map((row) => rms_norm(row, this.final_norm)), this.Wout); // (T, parole)
    const probabilities = logits.map((row) => softmax(row.map((logit) => logit / temperature)));
    return { tokens, visible, layers, logits, probabilities };
  }

  /** Un layer: norma, head in parallelo, Wo, residuo. */
  layer(n, x, visible, { n_kv_heads = this.n_heads, scale = 1 / Math.sqrt(this.head_dim), edges = [], heads = [] }) {
    const { norm, Wq, Wk, Wv, Wo } = this.layers[n];
    const normed = x.map((row) => rms_norm(row, norm));
    const Q = matmul(normed, Wq); // (T, Hq·Dh)
    const K = matmul(normed, group_kv_heads(Wk, this.n_heads, n_kv_heads)); // (T, Hkv·Dh)
    const V = matmul(normed, group_kv_heads(Wv, this.n_heads, n_kv_heads));
    const each = Array.from({ length: this.n_heads }, (_, h) => {
      const group = Math.floor(h / (this.n_heads / n_kv_heads)); // quale head di key e value le tocca
      const [q, k, v] = [this.columns(Q, h), this.columns(K, group), this.columns(V, group)];
      const mask = visible.map((row) => [...row]);
      for (const [layer, head, i, j] of edges) {
        if (layer === n && head === h && i < x.length && j < x.length) mask[i][j] = false;
      }
      const scores = attention_scores(q, k, { mask, scale });
      const weights = scores.map(softmax);
      const output = combine(weights, v); // (T, Dh)
      const silent = heads.some(([layer, head]) => layer === n && head === h);
      const rows = Wo.slice(h * this.head_dim, (h + 1) * this.head_dim); // le righe di Wo di questa head
      const update = matmul(silent ? output.map((row) => row.map(() => 0)) : output, rows); // (T, D)
      return { q, k, v, products: products(q, k), scores, mask, weights, output, update, silent };
    });
    const y = x.map((row, i) => each.reduce((sum, head) => add(sum, head.update[i]), row)); // il residuo
    return { x, normed, heads: each, y };
  }

  /** Le colonne di una head, da (T, H·Dh) a (T, Dh). */
  columns(A, head) {
    return A.map((row) => row.slice(head * this.head_dim, (head + 1) * this.head_dim));
  }
}

/** Meno head di key o di value: quelle di ogni gruppo si fondono nella loro media, come in attnkit.layers. */
export function group_kv_heads(W, n_heads, n_kv_heads) {
  if (n_kv_heads === n_heads) return W;
  const head_dim = W[0].length / n_heads;
  const size = n_heads / n_kv_heads;
  return W.map((row) => Array.from({ length: n_kv_heads * head_dim }, (_, column) => {
    const first = Math.floor(column / head_dim) * size;
    const members = Array.from({ length: size }, (_, g) => row[(first + g) * head_dim + (column % head_dim)]);
    return members.reduce((sum, value) => sum + value, 0) / size;
  }));
}

/** Spezza una frase nei token del modello: «affamata» diventa «affamat-» e «-a». Dice quali parole non conosce. */
export function split_words(sentence, vocabulary) {
  const tokens = [];
  const unknown = [];
  for (const word of sentence.toLowerCase().split(/\s+/).filter(Boolean)) {
    const known = [[word], [`${word}-`], [`${word.slice(0, -1)}-`, `-${word.at(-1)}`]].find((pieces) =>
      pieces.every((piece) => vocabulary.includes(piece)));
    if (known) tokens.push(...known);
    else unknown.push(word);
  }
  return { tokens, unknown };
}
