// Runs in the page before its own scripts: hears everything that the page says, and can act the moment it is said.
(() => {
  const witness = { said: [], states: [], since: {}, acts: [] };
  window.witness = witness;
  const say = (text) => {
    text = (text ?? "").trim();
    if (!text) return;
    witness.said.push(text);
    witness.acts = witness.acts.filter(([words, act]) => {
      if (!text.includes(words)) return true;
      setTimeout(act);
      return false;
    });
  };
  /** Clicks the button of this name. */
  witness.press = (name) => [...document.querySelectorAll("button")].find((b) => b.innerText.startsWith(name)).click();
  /** Acts once, the next time these words are said. */
  witness.when = (words, act) => witness.acts.push([words, act]);
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") {
        const state = document.documentElement.dataset.fledge;
        witness.states.push(state);
        witness.since[state] = performance.now();
      }
      else if (type === "characterData") say(target.data);
      else for (const node of addedNodes) if (!/^(SCRIPT|STYLE)$/.test(node.nodeName)) say(node.textContent);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ["data-fledge"] });
  window.addEventListener("error", (event) => say(`UNCAUGHT ${event.message}`));
})();
