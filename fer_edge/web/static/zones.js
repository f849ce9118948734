// Privacy zones, drawn on the frame: a click sets a corner, "Close the zone" ends it. Nothing changes until it is saved.
"use strict";

(() => {
  const at = (id) => document.getElementById(id);
  const zones = JSON.parse(document.body.dataset.zones);
  let saved = structuredClone(zones); // as stored by the daemon
  let corners = null; // of the zone being drawn; null: none

  const rounded = (value) => Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;

  function shape(name, points) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    made.setAttribute("points", points.map((point) => point.join()).join(" "));
    return made;
  }

  function show() {
    const shapes = zones.map((zone) => shape("polygon", zone));
    if (corners) shapes.push(shape("polyline", corners));
    at("zones").replaceChildren(...shapes);
    at("zones").classList.toggle("drawing", corners !== null);
    at("zone-draw").textContent = corners ? "Close the zone" : "Draw a zone";
    at("zone-draw").disabled = corners !== null && corners.length < 3;
    at("zone-list").replaceChildren(...zones.map((zone, index) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Remove zone ${index + 1}`;
      button.addEventListener("click", () => { zones.splice(index, 1); touched(); });
      item.append(`zone ${index + 1}, ${zone.length} corners `, button);
      return item;
    }));
  }

  function touched() {
    at("zone-save").disabled = false;
    at("zone-result").textContent = "";
    show();
  }

  function draw() {
    if (corners) {
      zones.push(corners);
      corners = null;
      touched();
      return;
    }
    corners = [];
    at("zone-result").textContent = "Click the corners of the zone in the frame, in order.";
    show();
  }

  function corner(event) {
    if (corners === null) return;
    const frame = at("zones").getBoundingClientRect();
    corners.push([rounded((event.clientX - frame.left) / frame.width), rounded((event.clientY - frame.top) / frame.height)]);
    show();
  }

  async function save() {
    try {
      const sent = structuredClone(zones);
      await window.send("zones", { zones: sent, were: saved });
      saved = sent;
      at("zone-result").textContent = "Saved. In force from the next start of the daemon.";
      at("zone-save").disabled = true;
    } catch (error) {
      at("zone-result").textContent = error.message;
    }
  }

  at("zone-draw").addEventListener("click", draw);
  at("zone-save").addEventListener("click", save);
  at("zones").addEventListener("click", corner);
  show();
})();
