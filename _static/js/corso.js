// Piccoli rimedi che solo il browser può fare, perché dipendono da ciò che trova nella pagina aperta.
(() => {
  "use strict";

  // Ciò che scorre di lato dentro la propria cornice dev'essere raggiungibile con la tastiera, e avere un nome.
  const CORNICI = [
    [".pst-scrollable-table-container", "Tabella che scorre di lato"],
    [".formula-a-parte", "Formula che scorre di lato"],
    [".cell_output:has(> img)", "Figura che scorre di lato"],
    [".highlight pre, .cell_output pre", "Testo che scorre di lato"],
  ];

  const aggiorna = (cornice, nome) => {
    const scorre = cornice.scrollWidth > cornice.clientWidth + 1;
    if (scorre) {
      cornice.tabIndex = 0;
      cornice.setAttribute("role", "group");
      cornice.setAttribute("aria-label", nome);
    } else {
      for (const attributo of ["tabindex", "role", "aria-label"]) cornice.removeAttribute(attributo);
    }
  };

  const nomi = new Map();
  const osservatore = new ResizeObserver((misure) => {
    for (const { target } of misure) aggiorna(target, nomi.get(target));
  });
  for (const [selettore, nome] of CORNICI) {
    for (const cornice of document.querySelectorAll(selettore)) {
      nomi.set(cornice, nome);
      osservatore.observe(cornice);
    }
  }

  // I pulsanti che copiano nascono nel browser, con parole che la loro estensione non lascia scegliere.
  document.addEventListener("DOMContentLoaded", () => {
    for (const pulsante of document.querySelectorAll("button.copybtn")) {
      pulsante.dataset.tooltip = "Copia";
      pulsante.setAttribute("aria-label", "Copia il codice");
      pulsante.querySelector("title")?.remove();
    }
  });
})();
