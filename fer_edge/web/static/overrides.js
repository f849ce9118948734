// Overrides: which values are in force instead of those in config.yaml, as YAML to paste, and a button that drops them.
"use strict";

(() => {
  const at = (id) => document.getElementById(id);
  let revision = -1; // of the overrides shown; -1: none yet
  let loading = false;

  async function load() {
    loading = true;
    const answer = await fetch("overrides").catch(() => null);
    const overrides = answer?.ok ? await answer.json().catch(() => null) : null;
    loading = false;
    if (!overrides) return; // the next message tries again
    revision = overrides.revision;
    at("overrides-yaml").textContent = overrides.yaml || "# none";
    at("overrides-place").textContent = overrides.place || "memory, until the daemon stops";
    at("overrides-drop").disabled = !overrides.yaml;
  }

  async function drop() {
    try {
      await window.send("drop", { revision });
      location.reload(); // zones and sliders start from config.yaml again
    } catch (error) {
      at("overrides-result").textContent = error.message;
    }
  }

  window.showOverrides = (overrides) => {
    if (overrides.revision !== revision && !loading) load();
  };

  at("overrides-drop").addEventListener("click", drop);
})();
