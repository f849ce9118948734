// Sliders: a draft of the thresholds, its replay of the last minutes, and saving it.
"use strict";

(() => {
  const WAIT_MS = 200; // after the last movement, so that a drag causes one replay
  const SLIDERS = [
    { key: "enter", label: "enter", max: 1, step: 0.01, own: true },
    { key: "leave", label: "leave", max: 1, step: 0.01, own: true },
    { key: "dwell_s", label: "dwell, s", max: 5, step: 0.1 },
    { key: "smooth_s", label: "smooth, s", max: 5, step: 0.1 },
    { key: "arrive_s", label: "arrive, s", max: 5, step: 0.1 },
  ];
  const KEYS = ["enter", "leave", "dwell_s", "smooth_s", "arrive_s", "emotions"];
  const FATES = { kept: 8, moved: 22, new: 36, gone: 50 }; // height of each row in the strip
  const at = (id) => document.getElementById(id);

  let inForce = null; // the settings in force
  let draft = null; // null: nothing was changed
  let was = null; // the settings in force when the draft was started
  let overridden = []; // dotted keys
  let timer = 0;

  const chosen = () => at("tune-emotion").value;
  const settings = () => draft || inForce;

  function valueOf(slider) {
    const own = chosen() && slider.own ? (settings().emotions[chosen()] || {})[slider.key] : null;
    return own ?? settings()[slider.key];
  }

  function showSliders() {
    for (const slider of SLIDERS) {
      at(`tune-${slider.key}`).value = valueOf(slider);
      at(`tune-${slider.key}-value`).textContent = valueOf(slider).toFixed(2);
      const general = `decide.${slider.key}`, own = `decide.emotions.${chosen()}.${slider.key}`;
      const marked = overridden.includes(chosen() && slider.own ? own : general);
      at(`tune-${slider.key}-label`).textContent = slider.label + (marked ? " *" : "");
    }
    at("tune-save").disabled = at("tune-reset").disabled = draft === null;
  }

  function touch(slider, value) {
    if (draft === null) {
      was = inForce;
      draft = structuredClone(inForce);
    }
    const emotion = chosen();
    if (emotion && slider.own) {
      draft.emotions[emotion] = { ...draft.emotions[emotion], [slider.key]: value };
    } else {
      draft[slider.key] = value;
    }
    at("tune-saved").textContent = "";
    showSliders();
    clearTimeout(timer);
    timer = setTimeout(tryDraft, WAIT_MS);
  }

  function buildSliders() {
    for (const slider of SLIDERS) {
      const row = document.createElement("div");
      row.className = "slider";
      row.innerHTML = '<label></label><input type="range" min="0"><output></output>';
      const [label, input, output] = row.children;
      label.id = `tune-${slider.key}-label`;
      label.textContent = slider.label;
      label.htmlFor = input.id = `tune-${slider.key}`;
      output.id = `tune-${slider.key}-value`;
      output.htmlFor = input.id;
      input.max = slider.max;
      input.step = slider.step;
      input.addEventListener("input", () => touch(slider, input.valueAsNumber));
      at("sliders").append(row);
    }
  }

  function showStrip(result) {
    const marks = result.events.map((event) => {
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      mark.setAttribute("x", 597 * (1 - event.ago_s / Math.max(result.seconds, 1)));
      mark.setAttribute("y", FATES[event.fate]);
      mark.setAttribute("width", 3);
      mark.setAttribute("height", 10);
      mark.setAttribute("class", event.fate);
      return mark;
    });
    at("tune-strip").replaceChildren(...marks);
  }

  async function tryDraft() {
    if (draft === null) return;
    try {
      const result = await window.send("try", draft);
      const { kept, moved, new: added, gone } = result.counts;
      at("tune-result").textContent =
        `The last ${Math.round(result.seconds)} s: ${kept} events kept, ${moved} moved, ${added} new, ${gone} gone.`;
      showStrip(result);
    } catch (error) {
      at("tune-result").textContent = error.message;
    }
  }

  async function save(submitted) {
    submitted.preventDefault();
    try {
      await window.send("keep", { decide: draft, was });
      at("tune-saved").textContent = "Saved. In force now, over config.yaml.";
      inForce = draft; // until the next event
      draft = null;
      at("tune-save").disabled = at("tune-reset").disabled = true;
    } catch (error) {
      at("tune-saved").textContent = error.message;
    }
  }

  window.tuneRules = (rules, keys) => {
    overridden = keys;
    inForce = Object.fromEntries(KEYS.map((key) => [key, rules[key]]));
    if (draft === null) showSliders();
  };

  buildSliders();
  at("tune-emotion").addEventListener("change", () => inForce && showSliders());
  at("tune").addEventListener("submit", save);
  at("tune-reset").addEventListener("click", () => { draft = null; showSliders(); at("tune-result").textContent = ""; });
})();
