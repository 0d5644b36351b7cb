// Disegna ogni formula appena il browser la legge e prima che la mostri: il sorgente LaTeX non lampeggia mai.
(() => {
  "use strict";

  const viste = new WeakSet();
  const inAttesa = new Set();

  // Mentre la pagina arriva, l'ultimo elemento può essere letto a metà: è intero quando dopo di lui c'è altro.
  const eIntero = (elemento) => {
    if (document.readyState !== "loading") return true;
    for (let nodo = elemento; nodo; nodo = nodo.parentNode) if (nodo.nextSibling) return true;
    return false;
  };

  const disegna = (elemento) => {
    const sorgente = elemento.textContent;
    try {
      katex.render(sorgente, elemento, { displayMode: "aParte" in elemento.dataset, strict: "ignore" });
    } catch (errore) {
      elemento.classList.add("formula-errata");
      console.error(`Formula non riuscita: ${sorgente}\n${errore.message}`);
    }
  };

  const disegnaPronte = () => {
    for (const elemento of inAttesa) {
      if (!eIntero(elemento)) continue;
      inAttesa.delete(elemento);
      disegna(elemento);
    }
  };

  // Una formula può comparire due volte, con sé stessa e con ciò che la contiene: si disegna una volta sola.
  const raccogli = (nodo) => {
    if (nodo.nodeType !== Node.ELEMENT_NODE) return;
    const formule = nodo.matches(".formula") ? [nodo] : nodo.querySelectorAll(".formula");
    for (const formula of formule) {
      if (viste.has(formula)) continue;
      viste.add(formula);
      inAttesa.add(formula);
    }
  };

  const osservatore = new MutationObserver((modifiche) => {
    for (const modifica of modifiche) modifica.addedNodes.forEach(raccogli);
    disegnaPronte();
  });
  osservatore.observe(document.documentElement, { childList: true, subtree: true });

  document.addEventListener("DOMContentLoaded", () => {
    osservatore.disconnect();
    raccogli(document.body);
    disegnaPronte();
  });
})();
