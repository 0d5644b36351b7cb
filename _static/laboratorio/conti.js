// I conti di un modello: parametri, FLOP, byte di pesi e cache, e su quale macchina sta. I numeri li fa costs.js.

import { attention_kind, flop_parts, forward_flops, kv_cache_bytes, local_layers, parameters, parts, problems, training_flops, weight_bytes } from "./costs.js";
import { mostrata } from "./frase.js";
import { cornice, crea, scrivi_in } from "./pezzi.js";
import { leggi, nonVa, scrivi } from "./stato.js";
import { decimale, intero, legenda, percento, rapporto, restaAlTitolo } from "./strumenti.js";

const PRIMO = "Llama 3.1 8B";
const USO = { token: 8192, batch: 1, byte_pesi: 2, byte_cache: 2 };
const QK_NORM = [["", "nessuna"], ["head", "una per head"], ["all", "una su tutte"]];
const BYTE = [[4, "4 · float32"], [2, "2 · bfloat16"], [1, "1 · otto bit"]];
const GIB = 2 ** 30, GB = 10 ** 9;

// Le righe della tabella di un paper: il nome nostro, le parole, il nome nei config.json.
const MISURE = [
  ["n_layers", "layer", "num_hidden_layers"],
  ["d_model", "larghezza del modello", "hidden_size"],
  ["n_heads", "query head", "num_attention_heads"],
  ["n_kv_heads", "head di key e value", "num_key_value_heads"],
  ["head_dim", "larghezza di una head", "head_dim"],
  ["d_ff", "larghezza della FFN", "intermediate_size"],
  ["vocabulary", "vocabolario", "vocab_size"],
  ["tied", "embedding e logit uguali", "tie_word_embeddings"],
  ["window", "finestra, se c’è", "sliding_window"],
  ["cycle", "ordine dei layer", "layer_types"],
];
const DETTAGLI = [
  ["norms", "norme per layer"],
  ["qk_norm", "norma di query e key"],
  ["qkv_bias", "bias di query, key e value"],
  ["output_bias", "bias dell’uscita dell’attenzione"],
  ["ffn_bias", "bias della FFN"],
  ["sinks", "un numero in più nella softmax"],
];
const MLA = [
  ["mla.q_rank", "query compressa", "q_lora_rank"],
  ["mla.kv_rank", "vettore in cache", "kv_lora_rank"],
  ["mla.nope_dim", "key senza posizione", "qk_nope_head_dim"],
  ["mla.rope_dim", "key con la posizione", "qk_rope_head_dim"],
  ["mla.v_dim", "larghezza di un value", "v_head_dim"],
];
const ESPERTI = [
  ["experts.total", "esperti", "n_routed_experts"],
  ["experts.active", "usati da un token", "num_experts_per_tok"],
  ["experts.d_ff", "larghezza di un esperto", "moe_intermediate_size"],
  ["experts.shared", "esperti comuni", "n_shared_experts"],
  ["experts.dense_layers", "layer senza esperti", "first_k_dense_replace"],
  ["experts.router_bias", "bias di chi sceglie"],
];
const SPUNTE = new Set(["tied", "qkv_bias", "output_bias", "ffn_bias", "sinks", "mla", "experts", "experts.router_bias"]);
const CAMPI = [...MISURE, ...DETTAGLI, ["mla", "multi-head latent attention (MLA)"], ...MLA, ["experts", "esperti (mixture of experts)"], ...ESPERTI];
const NON_NUMERI = new Set([...SPUNTE, "cycle", "qk_norm"]);

// Dal modulo ai conti, e ritorno --------------------------------------------------------------------------------

/** Una configurazione, campo per campo, come la mostra il modulo: testi e spunte. */
function inCampi(config) {
  const campi = {};
  for (const [nome] of CAMPI) {
    const [gruppo, dentro] = nome.split(".");
    const valore = dentro ? config[gruppo]?.[dentro] : config[gruppo];
    campi[nome] = SPUNTE.has(nome) ? Boolean(valore) : `${valore ?? ""}`;
  }
  return campi;
}

/** Un intero scritto come viene: "16384", "16.384", "16 384"; ciò che non è un intero resta testo. */
export function numeroScritto(testo) {
  const stretto = testo.replace(/[\s\u00a0\u202f]/g, "");
  if (/^-?\d+$/.test(stretto)) return Number(stretto);
  return /^\d{1,3}(\.\d{3})+$/.test(stretto) ? Number(stretto.replaceAll(".", "")) : testo.trim();
}

/** La configurazione scritta nel modulo, con i nomi di attnkit. */
function inConfig(campi) {
  const config = { mla: campi.mla ? {} : null, experts: campi.experts ? {} : null };
  for (const [nome] of CAMPI) {
    if (nome === "mla" || nome === "experts") continue;
    const valore = NON_NUMERI.has(nome) ? campi[nome] : campi[nome].trim() === "" ? null : numeroScritto(campi[nome]);
    const [gruppo, dentro] = nome.split(".");
    if (!dentro) config[nome] = nome === "qk_norm" ? valore || null : nome === "cycle" ? valore.trim().toUpperCase() : valore;
    else if (config[gruppo]) config[gruppo][dentro] = valore;
  }
  return config;
}

/** Ciò che non serve si spegne: head e larghezza con la MLA, la FFN dove ogni layer ha gli esperti. */
const spenti = (campi) => new Set([
  ...(campi.mla ? ["n_kv_heads", "head_dim", "qk_norm", "qkv_bias"] : MLA.map(([nome]) => nome)),
  ...(campi.experts ? (numeroScritto(campi["experts.dense_layers"]) === 0 ? ["d_ff"] : []) : ESPERTI.map(([nome]) => nome)),
]);

// Come si scrive una grandezza -----------------------------------------------------------------------------------

const cifre = (valore) => decimale(valore, valore < 10 ? 2 : valore < 100 ? 1 : 0);

/** "8,03 miliardi", "131 mila": a colpo d'occhio. */
export function inBreve(valore) {
  const v = Number(valore);
  const [quanti, nome] = v >= 1e12 ? [v / 1e12, "mila miliardi"] : v >= 1e9 ? [v / 1e9, "miliardi"] : v >= 1e6 ? [v / 1e6, "milioni"] : [v, ""];
  return nome ? `${quanti >= 1000 ? intero(Math.round(quanti)) : cifre(quanti)} ${nome}` : intero(valore);
}

/** Byte in unità binarie. */
export function inByte(valore) {
  const v = Number(valore);
  const [unita, nome] = v >= GIB ? [GIB, "GiB"] : v >= 2 ** 20 ? [2 ** 20, "MiB"] : v >= 1024 ? [1024, "KiB"] : [1, "byte"];
  const quanti = v / unita;
  return `${Number.isInteger(quanti) || quanti >= 1000 ? intero(Math.round(quanti)) : cifre(quanti)} ${nome}`;
}

const gigabytes = (valore) => {
  const [interi, decimi] = decimale(Number(valore) / GB, 1).split(",");
  return `${intero(interi)},${decimi} GB`;
};

/** FLOP con il loro prefisso, fino a dove le parole aiutano. */
export function inFlop(valore) {
  const v = Number(valore);
  const gradini = [[1e18, "EFLOP"], [1e15, "PFLOP"], [1e12, "TFLOP"], [1e9, "GFLOP"], [1e6, "MFLOP"]];
  const [unita, nome] = gradini.find(([soglia]) => v >= soglia) ?? [1, "FLOP"];
  const quanti = v / unita;
  return `${quanti >= 1000 || unita === 1 ? intero(Math.round(quanti)) : cifre(quanti)} ${nome}`;
}

// La pagina ------------------------------------------------------------------------------------------------------

function avvia(radice, { modelli, macchine }) {
  let modello, campi, uso;

  /** Prende tutto dall'indirizzo, e rende gli avvisi su ciò che lì non va. */
  function dallIndirizzo() {
    const avvisi = [];
    const prendi = (nome, va) => {
      const detto = leggi(nome);
      if (detto === null || va(detto)) return detto;
      avvisi.push(nonVa(nome, detto));
      return null;
    };
    modello = prendi("modello", (testo) => Object.hasOwn(modelli, testo)) ?? PRIMO;
    campi = inCampi(modelli[modello]);
    for (const [nome] of CAMPI) {
      const spunta = SPUNTE.has(nome);
      const detto = prendi(`modello-${nome}`, (testo) => (spunta ? ["sì", "no"].includes(testo) : nome !== "qk_norm" || QK_NORM.some(([valore]) => valore === testo)));
      if (detto !== null) campi[nome] = spunta ? detto === "sì" : detto;
    }
    uso = Object.fromEntries(Object.keys(USO).map((nome) => {
      const va = (testo) => (nome.startsWith("byte") ? BYTE.some(([valore]) => `${valore}` === testo) : Number.isSafeInteger(numeroScritto(testo)) && numeroScritto(testo) > 0);
      return [nome, `${numeroScritto(prendi(`modello-${nome}`, va) ?? `${USO[nome]}`)}`];
    }));
    return avvisi;
  }
  const rifiuti = dallIndirizzo();

  // Il modulo
  const ingressi = {};
  const avvisi = {};
  const righe = {};
  const voce = (nome, parole, paper) => {
    const id = `conti-${nome.replace(".", "-")}`;
    const ascolta = SPUNTE.has(nome) || nome === "qk_norm" ? { onchange: () => cambia(nome) } : { oninput: () => cambia(nome) };
    const ingresso = SPUNTE.has(nome) ? crea("input", { type: "checkbox", id, ...ascolta })
      : nome === "qk_norm" ? crea("select", { id, ...ascolta }, QK_NORM.map(([valore, testo]) => crea("option", { value: valore }, testo)))
        : crea("input", { id, size: "9", autocomplete: "off", spellcheck: "false", inputmode: nome === "cycle" ? null : "numeric", "aria-describedby": `${id}-avviso`, ...ascolta });
    ingressi[nome] = ingresso;
    avvisi[nome] = crea("span", { class: "strumento-avviso", id: `${id}-avviso` });
    righe[nome] = crea("div", { class: "misura" }, crea("label", { for: id }, parole, paper ? crea("code", {}, paper) : null), ingresso, avvisi[nome]);
    return righe[nome];
  };
  const scelta = crea("select", { id: "conti-modello", onchange: () => scegli(scelta.value) }, Object.keys(modelli).map((nome) => crea("option", { value: nome }, nome)));
  const fonte = crea("p", { class: "strumento-nota" });
  const daCapo = crea("button", { type: "button", onclick: () => scegli(modello) }, "rimetti le misure pubblicate");
  const usoVoce = (nome, parole) => {
    const id = `conti-${nome}`;
    const byte = nome.startsWith("byte");
    const ingresso = byte ? crea("select", { id, onchange: () => cambiaUso(nome) }, BYTE.map(([valore, testo]) => crea("option", { value: valore }, testo)))
      : crea("input", { id, size: "9", autocomplete: "off", inputmode: "numeric", "aria-describedby": `${id}-avviso`, oninput: () => cambiaUso(nome) });
    ingressi[nome] = ingresso;
    avvisi[nome] = crea("span", { class: "strumento-avviso", id: `${id}-avviso` });
    return crea("div", { class: "misura" }, crea("label", { for: id }, parole), ingresso, avvisi[nome]);
  };
  const gruppo = (titolo, ...voci) => crea("fieldset", { class: "gruppo-misure" }, crea("legend", {}, titolo), ...voci);
  const altre = crea("details", { class: "strumento-altre" }, crea("summary", {}, "Bias e norme, MLA, esperti"),
    gruppo("Bias e norme", ...DETTAGLI.map((campo) => voce(...campo))),
    gruppo("Attenzione compressa", voce("mla", "multi-head latent attention"), ...MLA.map((campo) => voce(...campo))),
    gruppo("Esperti", voce("experts", "la FFN è fatta di esperti"), ...ESPERTI.map((campo) => voce(...campo))));

  // I risultati
  const avviso = crea("p", { class: "strumento-avviso", role: "status" });
  const corpoConti = crea("tbody");
  const corpoParti = crea("tbody");
  const corpoMacchine = crea("tbody");
  const barre = crea("div", { class: "barre" });
  const annuncio = crea("p", { class: "strumento-detto", "aria-live": "polite" });
  const risultati = crea("div", { class: "risultati" }, annuncio,
    cornice("I conti", crea("table", { class: "strumento-tabella conti" }, crea("caption", {}, "I conti"),
      crea("thead", {}, crea("tr", {}, crea("th", { scope: "col" }, "che cosa"), crea("th", { scope: "col", class: "numero" }, "quanto"))), corpoConti)),
    crea("h3", { class: "strumento-titolo" }, "Dove vanno"), barre,
    cornice("Le parti", crea("table", { class: "strumento-tabella parti" }, crea("caption", {}, "Le parti, una per una"),
      crea("thead", {}, crea("tr", {}, ["parte", "parametri", "FLOP"].map((nome, n) => crea("th", { scope: "col", class: n ? "numero" : null }, nome)))), corpoParti)),
    crea("h3", { class: "strumento-titolo" }, "Su quale macchina sta"),
    cornice("Le macchine", crea("table", { class: "strumento-tabella macchine" }, crea("caption", {}, "Pesi e cache, in miliardi di byte (GB). Sono i minimi: durante il calcolo serve altro posto"),
      crea("thead", {}, crea("tr", {}, ["macchina", "ci sta?", "quante sequenze"].map((nome, n) => crea("th", { scope: "col", class: n === 2 ? "numero" : null }, nome)))), corpoMacchine)),
    crea("p", { class: "strumento-legenda" }, legenda("lavora", "pesi"), legenda("cache", "cache"), legenda("limite", "qui finisce la memoria")));

  radice.replaceChildren(crea("div", { class: "strumento" },
    crea("div", { class: "strumento-scelte" }, crea("div", { class: "voce" }, crea("label", { for: "conti-modello" }, "Modello"), scelta), daCapo), fonte,
    crea("div", { class: "moduli" }, gruppo("La tabella del modello", ...MISURE.map((campo) => voce(...campo))),
      gruppo("L’uso", usoVoce("token", "token di una sequenza"), usoVoce("batch", "sequenze insieme"), usoVoce("byte_pesi", "byte per peso"), usoVoce("byte_cache", "byte per numero della cache")), altre),
    avviso, risultati));

  function scegli(nome) {
    modello = nome;
    campi = inCampi(modelli[nome]);
    riempi();
    calcola();
  }
  function riempi() {
    scelta.value = modello;
    for (const [nome] of CAMPI) {
      if (SPUNTE.has(nome)) ingressi[nome].checked = campi[nome];
      else if (ingressi[nome].value !== campi[nome]) ingressi[nome].value = campi[nome];
    }
    for (const nome of Object.keys(USO)) ingressi[nome].value = uso[nome];
    altre.open ||= campi.mla || campi.experts;
  }
  function cambia(nome) {
    campi[nome] = SPUNTE.has(nome) ? ingressi[nome].checked : ingressi[nome].value;
    // Accendere o spegnere un gruppo propone misure sensate dove non ce ne sono.
    const proponi = (valori) => { for (const [campo, valore] of Object.entries(valori)) if (campi[campo] === "") campi[campo] = `${valore}`; };
    const esempio = (gruppo) => inCampi(Object.values(modelli).find((config) => config[gruppo]));
    if (nome === "mla" && campi.mla) proponi(Object.fromEntries(MLA.map(([campo]) => [campo, esempio("mla")[campo]])));
    if (nome === "mla" && !campi.mla) proponi({ n_kv_heads: campi.n_heads, head_dim: campi["mla.v_dim"] });
    if (nome === "experts" && campi.experts) proponi(Object.fromEntries(ESPERTI.filter(([campo]) => !SPUNTE.has(campo)).map(([campo]) => [campo, esempio("experts")[campo]])));
    if (nome === "experts" && !campi.experts) proponi({ d_ff: campi["experts.d_ff"] });
    if (nome === "mla" || nome === "experts") riempi();
    calcola();
  }
  function cambiaUso(nome) {
    uso[nome] = ingressi[nome].value;
    calcola();
  }

  function calcola() {
    const config = inConfig(campi);
    const guai = problems(config);
    const quanti = Object.fromEntries(Object.entries(uso).map(([nome, testo]) => [nome, testo.trim() === "" ? null : numeroScritto(testo)]));
    for (const nome of Object.keys(USO)) {
      const valore = quanti[nome], nomi = { token: "tokens", batch: "batch" };
      if (!Number.isSafeInteger(valore)) guai.push([nome, `${nomi[nome]}: mi aspettavo un intero, ho trovato ${valore ?? "nulla"}`]);
      else if (valore < 1) guai.push([nome, `${nomi[nome]}: mi aspettavo un intero maggiore di zero, ho trovato ${valore}`]);
    }
    const inutili = spenti(campi);
    for (const nome of Object.keys(ingressi)) {
      const suoi = guai.filter(([campo]) => campo === nome).map(([, messaggio]) => messaggio);
      scrivi_in(avvisi[nome], suoi.join("; "));
      ingressi[nome].setAttribute("aria-invalid", suoi.length > 0);
      if (nome in righe) {
        ingressi[nome].disabled = inutili.has(nome);
        righe[nome].classList.toggle("spenta", inutili.has(nome));
      }
    }
    scrivi_in(avviso, guai.length ? "Con queste misure il modello non esiste: i conti qui sotto sono ancora quelli di prima." : "");
    const pubblicate = inCampi(modelli[modello]);
    const cambiati = CAMPI.filter(([nome]) => campi[nome] !== pubblicate[nome] && !inutili.has(nome));
    daCapo.setAttribute("aria-disabled", cambiati.length === 0);
    if (guai.length) return;
    scrivi({ modello: modello === PRIMO ? null : modello,
             ...Object.fromEntries(CAMPI.map(([nome]) => [`modello-${nome}`, cambiati.some(([altro]) => altro === nome) ? (SPUNTE.has(nome) ? (campi[nome] ? "sì" : "no") : campi[nome].trim()) : null])),
             ...Object.fromEntries(Object.keys(USO).map((nome) => [`modello-${nome}`, quanti[nome] === USO[nome] ? null : quanti[nome]])) });
    mostra(config, quanti, cambiati.length);
  }

  function mostra(config, { token, batch, byte_pesi, byte_cache }, cambiati) {
    const locali = local_layers(config);
    const [tutti, attivi] = [parameters(config), parameters(config, { active: true })];
    const pesi = weight_bytes(config, { bytes_per_value: byte_pesi });
    const una = kv_cache_bytes(config, token, { bytes_per_value: byte_cache });
    const cache = una * BigInt(batch);
    const leggere = forward_flops(config, token, { batch });
    const ultimo = forward_flops(config, token) - (token > 1 ? forward_flops(config, token - 1) : 0n);
    const passo = training_flops(config, token, { batch });
    const seiN = 6n * (config.experts ? attivi : tutti) * BigInt(token) * BigInt(batch);

    const dati = modelli[modello];
    const tipo = attention_kind(config) + (locali ? `, ${locali} layer su ${config.n_layers} con una finestra di ${intero(config.window)}` : "") + (config.experts ? `, ${config.experts.active} esperti su ${config.experts.total}` : "");
    scrivi_in(fonte, `${cambiati ? `Partendo da ${modello}, con ${cambiati === 1 ? "una misura cambiata" : `${cambiati} misure cambiate`}` : `Fonte: ${dati.source}`}. Attenzione: ${tipo}.`
      + (dati.context ? ` Contesto dichiarato: ${intero(dati.context)} token${token > dati.context ? ", meno di quelli che hai chiesto" : ""}.` : ""));
    scrivi_in(annuncio, `${inBreve(tutti)} di parametri: ${inByte(pesi)} di pesi, e ${inByte(cache)} di KV cache.`.replace(/^(\d[\d.]*) di/, "$1"));

    const riga = (nome, nota, breve, esatto) => crea("tr", {}, crea("th", { scope: "row" }, nome, crea("span", { class: "da-dove" }, nota)),
      crea("td", { class: "numero" }, breve, crea("span", { class: "esatto" }, esatto)));
    const tanti = batch > 1 ? `${intero(batch)} sequenze di ${intero(token)} token` : `${intero(token)} token`;
    corpoConti.replaceChildren(
      riga("parametri", "tutti, embedding compresi", inBreve(tutti), intero(tutti)),
      riga("parametri che usa un token", config.experts ? "gli esperti scelti, senza l’embedding d’ingresso" : "senza l’embedding d’ingresso, che si legge soltanto", inBreve(attivi), intero(attivi)),
      riga("pesi", `${byte_pesi} byte per parametro`, inByte(pesi), `${intero(pesi)} byte`),
      riga("KV cache", config.mla ? `${tanti}: un vettore compresso e una key di posizione` : `${tanti}: key e value di ogni layer${locali ? ", al più la finestra nei locali" : ""}`, inByte(cache), `${intero(cache)} byte`),
      riga("leggere", `${tanti}, con la maschera causale`, inFlop(leggere), `${intero(leggere)} FLOP`),
      riga("l’ultimo token", `con ${intero(token - 1)} token già in cache`, inFlop(ultimo), `${intero(ultimo)} FLOP`),
      riga("un passo di addestramento", "tre volte la lettura", inFlop(passo), `${intero(passo)} FLOP`),
      riga("lo stesso, con 6NT", `la regola a memoria: N sono i parametri${config.experts ? " che usa un token" : ""}, le coppie non si contano`, inFlop(seiN), `${intero(seiN)} FLOP`));

    const P = parts(config), F = flop_parts(config, token, { batch });
    const voci = [
      ["embedding", config.tied ? null : "embedding d’ingresso", P.embedding, null],
      ["attenzione", "proiezioni dell’attenzione", P.attention, F.attention],
      ["coppie", "coppie query–key e value", null, F.pairs],
      ["ffn", config.experts ? "FFN, con gli esperti" : "FFN", P.feed_forward, F.feed_forward],
      ["logit", config.tied ? "embedding e logit, la stessa matrice" : "logit", P.logits, F.logits],
      ["norme", "norme", P.norms, null],
      ["bias", "bias e numeri sciolti", P.biases || null, null],
    ].filter(([, nome, p, f]) => nome && (p !== null || f !== null));
    const barra = (titolo, valori, totale) => crea("div", { class: "quota" }, crea("span", { class: "quota-nome", "aria-hidden": "true" }, titolo),
      crea("div", { class: "quota-intera", role: "img", "aria-label": `${titolo}: ${valori.map(([, nome, v]) => `${nome} ${percento(rapporto(v, totale))}`).join(", ")}` },
        valori.map(([classe, , v]) => {
          const quota = rapporto(v, totale);
          return crea("span", { class: `pezzo ${classe}`, style: `width:${100 * quota}%`, "aria-hidden": "true" }, quota * radice.clientWidth > 60 ? percento(quota) : "");
        })));
    barre.replaceChildren(
      barra("parametri", voci.filter(([, , p]) => p !== null).map(([c, nome, p]) => [c, nome, p]), tutti),
      barra(`FLOP, ${intero(token)} token`, voci.filter(([, , , f]) => f !== null).map(([c, nome, , f]) => [c, nome, f]), leggere));
    const casella = (v, totale, testo) => crea("td", { class: "numero" }, v === null ? "–" : [testo(v), crea("span", { class: "esatto" }, percento(rapporto(v, totale)))]);
    corpoParti.replaceChildren(...voci.map(([classe, nome, p, f]) => crea("tr", {},
      crea("th", { scope: "row" }, crea("span", { class: `campione pezzo ${classe}`, "aria-hidden": "true" }), nome), casella(p, tutti, intero), casella(f, leggere, inFlop))),
    crea("tr", { class: "somma" }, crea("th", { scope: "row" }, "in tutto"), crea("td", { class: "numero" }, intero(tutti)),
      crea("td", { class: "numero" }, inFlop(leggere))));

    const servono = pesi + cache;
    corpoMacchine.replaceChildren(...macchine.map(({ nome, gigabyte }) => {
      const posto = BigInt(gigabyte) * BigInt(GB);
      const sta = servono <= posto;
      const resta = sta ? posto - servono : servono - posto;
      const insieme = pesi < posto ? (posto - pesi) / una : 0n;
      const larga = (v) => `width:${Math.min(100, 100 * rapporto(v, servono > posto ? servono : posto))}%`;
      const barra = crea("div", { class: "memoria", role: "img", "aria-label": `pesi ${gigabytes(pesi)}, cache ${gigabytes(cache)}, su ${gigabyte} GB` },
        crea("span", { class: "pesi", style: larga(pesi) }), crea("span", { class: "cache", style: larga(cache) }),
        sta ? null : crea("span", { class: "limite", style: `left:${100 * rapporto(posto, servono)}%` }));
      return crea("tr", { class: sta ? "sta" : "non-sta" }, crea("th", { scope: "row" }, nome.replace(/^in (un'|un’|una |un )?/, ""), barra),
        crea("td", {}, sta ? `sì, restano ${gigabytes(resta)}` : `no, mancano ${gigabytes(resta)}`),
        crea("td", { class: "numero" }, intero(insieme)));
    }));
  }

  riempi();
  calcola();
  if (rifiuti.length) scrivi_in(avviso, [...rifiuti, avviso.textContent].join(" ").trim());
  addEventListener("popstate", () => {
    dallIndirizzo();
    riempi();
    calcola();
  });
  restaAlTitolo();
  // Un indirizzo con misure impossibili mostra i messaggi, e i conti del modello pubblicato.
  if (!corpoConti.hasChildNodes()) mostra(inConfig(inCampi(modelli[modello])), USO, 0);
}

const radice = document.getElementById("lab-conti");
const modelli = fetch(new URL("modelli.json", import.meta.url)).then((arrivati) => arrivati.json());
await mostrata;
if (radice) avvia(radice, await modelli);
