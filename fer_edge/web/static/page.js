// Live part of the page: server-sent events update faces, events, counters and status lamps.
"use strict";

const EMOTIONS = JSON.parse(document.body.dataset.emotions);
const COLOURS = JSON.parse(document.body.dataset.colours);
const MOST_EVENTS = 100;
const RETRY_MS = 2000;

let newestEvent = 0;

const at = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function lamp(id, good, text) {
  at(`${id}-lamp`).className = `lamp ${good ? "good" : "bad"}`;
  if (at(`${id}-state`).textContent !== text) at(`${id}-state`).textContent = text;
}

function banner(text) {
  if (at("banner").textContent !== text) at("banner").textContent = text;
  at("banner").hidden = !text;
}

// One card for each face, kept while the face is tracked, so that the bars are animated.
function faceCard(face) {
  const id = `face-${face.face}`;
  let card = at(id);
  if (card) return card;
  card = element("div", "face");
  card.id = id;
  card.append(element("h3"));
  for (const emotion of EMOTIONS) {
    const row = element("div", "score");
    const track = element("div", "track");
    track.setAttribute("role", "meter");
    track.setAttribute("aria-label", emotion);
    track.setAttribute("aria-valuemin", "0");
    track.setAttribute("aria-valuemax", "1");
    const bar = element("div", "bar");
    bar.style.background = COLOURS[emotion];
    track.append(bar, element("div", "mark enter"), element("div", "mark leave"));
    row.append(element("span", "", emotion), track, element("span", "number"));
    card.append(row);
  }
  at("faces").append(card);
  return card;
}

function showFace(face, rules) {
  const card = faceCard(face);
  const heading = card.querySelector("h3");
  heading.textContent = `face ${face.words}`;
  heading.style.borderColor = face.emotion ? COLOURS[face.emotion] : "";
  card.querySelectorAll(".score").forEach((row, index) => {
    const score = face.scores[index];
    row.querySelector(".bar").style.width = `${100 * score}%`;
    row.querySelector(".enter").style.left = `${100 * rules.enters[index]}%`;
    row.querySelector(".leave").style.left = `${100 * rules.leaves[index]}%`;
    row.querySelector(".number").textContent = score.toFixed(2);
    row.querySelector(".track").setAttribute("aria-valuenow", score);
  });
}

function showFaces(faces, rules) {
  const present = new Set(faces.map((face) => `face-${face.face}`));
  for (const card of [...at("faces").children]) if (!present.has(card.id)) card.remove();
  faces.forEach((face) => showFace(face, rules));
  at("no-faces").hidden = faces.length > 0;
}

function eventWords(event) {
  const held = event.emotion ? `${event.emotion} ${Math.round(100 * event.confidence)}%` : "unsure";
  switch (event.type) {
    case "face_appeared": return `face ${event.face} appeared, ${held}`;
    case "emotion_changed": return `face ${event.face} changed from ${event.previous || "unsure"} to ${held}`;
    case "face_gone": return `face ${event.face} gone (${event.reason}) after ${event.duration_s.toFixed(1)} s`;
    default: return `face ${event.face} ${event.type}`;
  }
}

function showEvent(event) {
  if (event.number <= newestEvent) return; // messages repeat the latest events, so that none is lost
  newestEvent = event.number;
  const item = element("li");
  const when = new Date(1000 * event.wall);
  const time = element("time", "", when.toLocaleTimeString());
  time.dateTime = when.toISOString();
  item.append(time, eventWords(event));
  at("events").prepend(item);
  while (at("events").children.length > MOST_EVENTS) at("events").lastChild.remove();
}

function showWhy(figures) {
  const rows = Object.entries(figures.faces).map(([outcome, count]) => {
    const row = element("tr");
    const head = element("th", "", outcome.replaceAll("_", " "));
    head.scope = "row";
    const share = figures.faces_seen ? `${(100 * count / figures.faces_seen).toFixed(0)}%` : "";
    row.append(head, element("td", "", count), element("td", "", share));
    return row;
  });
  at("why").replaceChildren(...rows);
  at("why-sum").textContent = figures.faces_seen;
}

function show(moment) {
  lamp("page", true, "live");
  lamp("camera", moment.camera.state === "running", moment.camera.state);
  lamp("link", moment.link.connected, moment.link.text);
  const away = !["running", "opening"].includes(moment.camera.state);
  banner(away ? `The camera is ${moment.camera.state}. ${moment.camera.reason}` : "");
  at("rate").textContent = moment.figures.frame_rate_hz.toFixed(1);
  at("latency").textContent = moment.figures.latency_ms ?? "-";
  at("watching").textContent = moment.watching;
  showFaces(moment.faces, moment.rules);
  moment.events.forEach(showEvent);
  showWhy(moment.figures);
  window.tuneRules(moment.rules, moment.overrides.keys);
  window.showOverrides(moment.overrides);
}

async function connect() {
  const answer = await fetch("seats").catch(() => null);
  const seats = answer?.ok ? await answer.json().catch(() => null) : null;
  if (!seats) {
    lamp("page", false, "no connection");
    banner(answer?.status === 401 ? "The token has changed. Reload the page." : "No response from the daemon. Retrying.");
    setTimeout(connect, RETRY_MS);
    return;
  }
  if (seats.taken >= seats.limit) {
    lamp("page", false, "full");
    banner(`${seats.limit} pages are open, the limit of preview.watchers. Retrying.`);
    setTimeout(connect, RETRY_MS);
    return;
  }
  const live = new EventSource("live");
  at("events").replaceChildren();
  newestEvent = 0;
  at("picture").src = `picture.mjpg?${Date.now()}`; // a new URL each time, or the browser reuses the broken stream
  live.onmessage = (message) => show(JSON.parse(message.data));
  live.onerror = () => {
    live.close();
    at("faces").replaceChildren(); // their state is unknown
    at("no-faces").hidden = true;
    lamp("page", false, "no connection");
    banner("Connection to the daemon lost. Retrying.");
    setTimeout(connect, RETRY_MS);
  };
}

connect();
