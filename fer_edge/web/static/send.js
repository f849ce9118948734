// What the page asks of the daemon: an answer, or one line that says why there is none. What was drawn or dragged stays.
"use strict";

window.send = async (address, body) => {
  const headers = { "Content-Type": "application/json", "X-Fer-Edge": "page" };
  let answer;
  try {
    answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("The daemon does not answer. Nothing was saved; try again when it is back.");
  }
  const words = await answer.json().catch(() => null);
  if (answer.ok && words) return words;
  throw new Error(words?.error || `The daemon refuses this (${answer.status}). Load the page again.`);
};
