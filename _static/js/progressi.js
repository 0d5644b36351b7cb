// I capitoli letti: il segno si mette in fondo a un capitolo, e si vede nella mappa della copertina e nell'indice.
// Resta nella memoria di questo browser; dove il browser la vieta, vale finché la pagina è aperta.
(() => {
  "use strict";

  const CHIAVE = "self-attention:letti";
  const CAPITOLO = /\/chapters\/(\d\d-[^/]+)\.html$/;
  const SPUNTA = `<svg class="icona" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.4"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="m5 12.5 4.5 4.5L19 7.5"/></svg>`;
  // Il sostituto di localStorage, in layout.html, non è uno Storage.
  const SI_RICORDA = localStorage instanceof Storage;
  const DOVE = SI_RICORDA ? "Il segno resta solo in questo browser." :
    "Questo browser non permette di ricordare il segno: vale finché la pagina è aperta.";

  const leggi = () => {
    try {
      const letti = JSON.parse(localStorage.getItem(CHIAVE));
      return new Set(Array.isArray(letti) ? letti : []);
    } catch {
      return new Set(); // qualcun altro ha scritto lì
    }
  };
  const scrivi = (letti) => {
    try {
      localStorage.setItem(CHIAVE, JSON.stringify([...letti]));
    } catch { /* memoria piena: il segno non si salva, e la pagina lo mostra non messo */ }
    mostra();
  };

  const capitoloDi = (collegamento) => new URL(collegamento.href, location.href).pathname.match(CAPITOLO)?.[1];
  const segna = (collegamento, letto) => {
    collegamento.querySelector(".spunta")?.remove();
    collegamento.closest("li").classList.toggle("letto", letto);
    if (letto) collegamento.insertAdjacentHTML("beforeend", `<span class="spunta">${SPUNTA}<span class="visually-hidden"> (letto)</span></span>`);
  };

  const segno = document.querySelector(".segno");
  const nellaMappa = [...document.querySelectorAll(".mappa a")].filter(capitoloDi);
  const nellIndice = [...document.querySelectorAll(".bd-links a")].filter(capitoloDi);
  let quadro;

  const mostra = () => {
    const letti = leggi();
    for (const collegamento of [...nellaMappa, ...nellIndice]) segna(collegamento, letti.has(capitoloDi(collegamento)));
    if (segno) {
      const letto = letti.has(segno.dataset.capitolo);
      segno.querySelector("button").setAttribute("aria-pressed", letto);
      segno.querySelector(".segno-testo").textContent = letto ? "Letto · togli il segno" : "Segna come letto";
    }
    if (quadro) {
      const quanti = nellaMappa.filter((collegamento) => letti.has(capitoloDi(collegamento))).length;
      quadro.querySelector(".progressi-riga").textContent =
        `Hai letto ${quanti} ${quanti === 1 ? "capitolo" : "capitoli"} su ${nellaMappa.length} pubblicati`;
      quadro.querySelector("progress").value = quanti;
      quadro.querySelector("button").hidden = letti.size === 0;
    }
  };

  if (segno) {
    segno.querySelector(".segno-nota").textContent = DOVE;
    segno.hidden = false;
    segno.querySelector("button").addEventListener("click", () => {
      const letti = leggi();
      if (!letti.delete(segno.dataset.capitolo)) letti.add(segno.dataset.capitolo);
      scrivi(letti);
    });
  }

  if (nellaMappa.length) {
    quadro = document.createElement("div");
    quadro.className = "progressi";
    quadro.innerHTML = `<p class="progressi-riga" id="progressi-riga" role="status" tabindex="-1"></p>
      <progress max="${nellaMappa.length}" value="0" aria-labelledby="progressi-riga"></progress>
      <p class="progressi-nota"><span>Si segna in fondo a ogni capitolo. ${DOVE}</span> <button type="button">Ricomincia</button></p>`;
    quadro.querySelector("button").addEventListener("click", () => {
      scrivi(new Set());
      quadro.querySelector(".progressi-riga").focus(); // il pulsante sparisce: il fuoco non si perda
    });
    document.querySelector(".mappa").closest("section").parentElement.querySelector("h2").after(quadro);
  }

  mostra();
  // Un segno messo in un'altra scheda, o prima di tornare indietro, si vede anche qui.
  addEventListener("storage", mostra);
  addEventListener("pageshow", (evento) => evento.persisted && mostra());
})();
