// Un file safetensors: otto byte che dicono quanto è lunga l'intestazione, l'intestazione in JSON, poi i numeri
// di tutti i tensori, uno dopo l'altro. Nessun codice da eseguire: si legge in venti righe.

const LETTORI = {
  F64: [8, (vista, posto) => vista.getFloat64(posto, true)],
  F32: [4, (vista, posto) => vista.getFloat32(posto, true)], // true: prima il byte meno significativo
};

/** Da byte (ArrayBuffer) a `{ arrays, about }`: i tensori, come righe di numeri, e ciò che il file dice di sé. */
export function read(buffer) {
  const vista = new DataView(buffer);
  const lunghezza = Number(vista.getBigUint64(0, true));
  const intestazione = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, lunghezza)));
  const { __metadata__: metadati, ...tensori } = intestazione;
  const arrays = {};
  for (const [nome, { dtype, shape, data_offsets: [inizio] }] of Object.entries(tensori)) {
    const [byte, leggi] = LETTORI[dtype];
    const quanti = shape.reduce((prodotto, lato) => prodotto * lato, 1);
    const valori = Array.from({ length: quanti }, (_, n) => leggi(vista, 8 + lunghezza + inizio + n * byte));
    arrays[nome] = shape.length === 1 ? valori : righe(valori, shape[1]);
  }
  return { arrays, about: JSON.parse(metadati.attnkit) };
}

const righe = (valori, larghezza) =>
  Array.from({ length: valori.length / larghezza }, (_, i) => valori.slice(i * larghezza, (i + 1) * larghezza));
