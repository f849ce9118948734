// POST requests: the decoded answer, or an Error with one line for the user. Drafts are kept.
"use strict";

window.send = async (address, body) => {
  const headers = { "Content-Type": "application/json", "X-Fer-Edge": "page" };
  let answer;
  try {
    answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("No response from the daemon. Nothing was saved; try again when it is running.");
  }
  const words = await answer.json().catch(() => null);
  if (answer.ok && words) return words;
  throw new Error(words?.error || `The daemon rejected this (${answer.status}). Reload the page.`);
};
