// Quanto costa un modello: gli stessi nomi e gli stessi interi di attnkit.costs.
// Ogni conto è in BigInt: oltre 2^53 i numeri di JavaScript non sono più esatti.

const big = (value) => BigInt(value ?? 0);
const min = (a, b) => (a < b ? a : b);

/** Quanti layer vedono solo la finestra: `cycle` si ripete, "L" è un layer locale. */
export function local_layers({ cycle, n_layers }) {
  const in_a_cycle = [...cycle].filter((letter) => letter === "L").length;
  const rest = [...cycle.slice(0, n_layers % cycle.length)].filter((letter) => letter === "L").length;
  return Math.floor(n_layers / cycle.length) * in_a_cycle + rest;
}

/** MHA, GQA, MQA o MLA. */
export function attention_kind({ mla, n_heads, n_kv_heads }) {
  if (mla) return "MLA";
  if (n_kv_heads === n_heads) return "MHA";
  return n_kv_heads === 1 ? "MQA" : "GQA";
}

/** I parametri, parte per parte; con `active`, solo ciò che usa un token: gli esperti scelti, e nessun embedding d'ingresso. */
export function parts(config, { active = false } = {}) {
  const [L, D, H, V] = ["n_layers", "d_model", "n_heads", "vocabulary"].map((name) => big(config[name]));
  const { mla, experts } = config;
  const dense = experts ? big(experts.dense_layers) : L;
  const used = experts ? big(active ? experts.active : experts.total) + big(experts.shared) : 0n;
  const flag = (name) => (config[name] ? 1n : 0n);
  let projections;
  let attention_norms;
  let attention_biases = flag("output_bias") * D + flag("sinks") * H;
  if (mla) {
    const [q_rank, kv_rank, nope, rope, v] = ["q_rank", "kv_rank", "nope_dim", "rope_dim", "v_dim"].map((name) => big(mla[name]));
    const q = D * q_rank + q_rank * H * (nope + rope);                     // compressa, poi una per head
    const kv = D * (kv_rank + rope) + kv_rank * H * (nope + v);
    projections = q + kv + H * v * D;
    attention_norms = q_rank + kv_rank;
  } else {
    const [q, kv] = [H * big(config.head_dim), big(config.n_kv_heads) * big(config.head_dim)];
    projections = 2n * D * (q + kv);                                       // Wq e Wo, Wk e Wv
    attention_norms = { head: 2n * big(config.head_dim), all: q + kv }[config.qk_norm] ?? 0n;
    attention_biases += flag("qkv_bias") * (q + 2n * kv);
  }
  const width = big(config.d_ff);
  let feed_forward = dense * 3n * D * width;
  let ffn_biases = dense * flag("ffn_bias") * (2n * width + D);
  if (experts) {
    const inner = big(experts.d_ff);
    feed_forward += (L - dense) * (D * big(experts.total) + used * 3n * D * inner);        // chi sceglie, e gli esperti
    ffn_biases += (L - dense) * ((experts.router_bias ? big(experts.total) : 0n) + used * flag("ffn_bias") * (2n * inner + D));
  }
  return {
    embedding: config.tied || active ? 0n : V * D,
    attention: L * projections,
    feed_forward,
    logits: V * D,
    norms: L * (attention_norms + big(config.norms) * D) + D,              // l'ultimo D è la norma finale
    biases: L * attention_biases + ffn_biases,
  };
}

/** Quanti parametri ha un modello. */
export const parameters = (config, options) => Object.values(parts(config, options)).reduce((sum, part) => sum + part, 0n);

/** I FLOP per leggere una sequenza, con la maschera causale, parte per parte: tre prodotti con le matrici, e le coppie. */
export function flop_parts(config, tokens, { batch = 1 } = {}) {
  const [T, B, H, L, local] = [tokens, batch, config.n_heads, config.n_layers, local_layers(config)].map(big);
  const { mla } = config;
  const width = mla ? big(mla.nope_dim) + big(mla.rope_dim) + big(mla.v_dim) : 2n * big(config.head_dim);
  const pairs = (window) => (window * (window + 1n)) / 2n + (T - window) * window;
  const near = config.window ? min(T, big(config.window)) : T;
  const { attention, feed_forward, logits } = parts(config, { active: true });
  const read = (matrices) => B * 2n * T * matrices;
  return {
    attention: read(attention), feed_forward: read(feed_forward), logits: read(logits),
    pairs: B * 2n * H * width * ((L - local) * pairs(T) + local * pairs(near)),
  };
}

export const forward_flops = (config, tokens, options) =>
  Object.values(flop_parts(config, tokens, options)).reduce((sum, part) => sum + part, 0n);

/** I FLOP per addestrarsi su una sequenza: tre volte quelli di `forward_flops`. */
export const training_flops = (config, tokens, options) => 3n * forward_flops(config, tokens, options);

/** I byte di key e value di tutti i token che servono ancora. */
export function kv_cache_bytes(config, tokens, { batch = 1, bytes_per_value = 2 } = {}) {
  const [T, L, local] = [tokens, config.n_layers, local_layers(config)].map(big);
  const per_token = config.mla ? big(config.mla.kv_rank) + big(config.mla.rope_dim) : 2n * big(config.n_kv_heads) * big(config.head_dim);
  const kept = (L - local) * T + local * (config.window ? min(T, big(config.window)) : T);
  return per_token * kept * big(batch) * big(bytes_per_value);
}

/** I byte dei pesi. */
export const weight_bytes = (config, { bytes_per_value = 2 } = {}) => parameters(config) * big(bytes_per_value);

/**
 * Ciò che non va in una configurazione, con le parole di attnkit: una lista di [campo, messaggio], vuota se va tutto bene.
 * I campi di `mla` ed `experts` si chiamano "mla.q_rank", "experts.total"…
 */
export function problems(config) {
  const found = [];
  const { mla, experts } = config;
  const integer = (field, value, least = 1) => {
    const name = field.split(".").at(-1);
    const said = value === null || value === "" ? "nulla" : `${value}`;
    if (!Number.isSafeInteger(value)) found.push([field, `${name}: mi aspettavo un intero, ho trovato ${said}`]);
    else if (value < least) found.push([field, `${name}: mi aspettavo ${least ? "un intero maggiore di zero" : "zero o un intero maggiore"}, ho trovato ${said}`]);
    else return true;
    return false;
  };
  const needed = ["n_layers", "d_model", "n_heads", "vocabulary", "norms"];
  if (!mla) needed.push("n_kv_heads", "head_dim");
  if (!experts || experts.dense_layers) needed.push("d_ff");
  if (config.window !== null) needed.push("window");
  const good = new Set(needed.filter((name) => integer(name, config[name])));
  if (mla) for (const name of ["q_rank", "kv_rank", "nope_dim", "rope_dim", "v_dim"]) integer(`mla.${name}`, mla[name]);
  if (experts) {
    const sizes = ["total", "active", "d_ff"].map((name) => integer(`experts.${name}`, experts[name]));
    for (const name of ["shared", "dense_layers"]) integer(`experts.${name}`, experts[name], 0);
    if (sizes[0] && sizes[1] && experts.active > experts.total) found.push(["experts.active", `active=${experts.active} supera total=${experts.total}`]);
    if (good.has("n_layers") && experts.dense_layers > config.n_layers) found.push(["experts.dense_layers", `dense_layers=${experts.dense_layers} supera n_layers=${config.n_layers}`]);
  }
  if (good.has("n_heads") && good.has("n_kv_heads") && config.n_heads % config.n_kv_heads) {
    found.push(["n_kv_heads", `n_heads=${config.n_heads} non è divisibile per n_kv_heads=${config.n_kv_heads}`]);
  }
  if (!/^[LG]+$/.test(config.cycle) || config.cycle.includes("L") !== (config.window !== null)) {
    found.push(["cycle", `cycle: mi aspettavo L e G, con L solo se c'è una finestra; ho trovato '${config.cycle}' con window=${config.window ?? "nessuna"}`]);
  }
  return found;
}
