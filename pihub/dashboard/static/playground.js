// Two conversations side by side, streamed. Answers are put in as text only; what is said stays
// in this page, and goes with the next question, until a new conversation begins.

import { csrf } from "./screen.js";

const API = "/admin/api/v1";
const form = document.querySelector("#ask");
const stopper = form.querySelector("[data-do=stop]");
const TOLD = [["route", "x-pihub-route"], ["reason", "x-pihub-reason"], ["cache", "x-pihub-cache"], ["predicted ms", "x-pihub-predicted-ms"]];
const STATES = { closed: "in use", open: "rests", "half-open": "tried again" };
const LOOKS = 8, PAUSE = 700;
let stop = null;

const money = (usd) => usd === null ? "unknown" : usd === 0 ? "$0" : `$${usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(3)}`;
const time = (ms) => ms === null ? "not measured" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

function row(body, ...texts) {
  const line = body.insertRow();
  texts.forEach((text, index) => {
    const cell = index ? line.insertCell() : document.createElement("th");
    if (!index) { cell.scope = "row"; line.append(cell); }
    cell.append(text);
  });
  return line;
}

function bubble(side, who, text) {
  const box = document.createElement("p");
  box.className = who;
  box.textContent = text;
  side.log.append(box);
  side.log.scrollTop = side.log.scrollHeight;
  return box;
}

const sides = [...document.querySelectorAll("[data-side]")].map((element) => ({
  element, turns: [],
  log: element.querySelector(".answer"),
  facts: element.querySelector("table.numbers tbody"),
  whys: element.querySelector(".whys"),
  get model() { return element.querySelector("select").value; },
}));

async function explain(side, question) {
  const answer = await fetch(`${API}/models/${encodeURIComponent(side.model)}/preview`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrf() },
    body: JSON.stringify({ prompt: question, max_tokens: Number(form.elements.max.value) || null }),
  }).catch(() => null);
  const [text, note] = side.whys.querySelectorAll("p");
  const body = side.whys.querySelector("tbody");
  side.whys.hidden = false;
  body.replaceChildren();
  note.textContent = "";
  side.whys.querySelector("table").hidden = !answer?.ok;
  if (!answer?.ok) {
    const told = await answer?.json().catch(() => ({}));
    text.textContent = answer?.status === 403 ? "Log in to see how the router decides." : told?.detail ?? "The hub does not answer.";
    return;
  }
  const told = await answer.json();
  text.textContent = told.text;
  for (const one of told.targets) {
    row(body, one.target, money(one.cost_usd), time(one.predicted_ms), STATES[one.state] ?? one.state).querySelectorAll("td:not(:last-child)").forEach((cell) => cell.classList.add("num"));
  }
  const hard = told.difficulty, causes = hard.causes.map((one) => one.what.replace(/[()]/g, "")).filter((what) => /\p{L}{2}/u.test(what)).slice(0, 4).join(", ");
  note.textContent = `Predicted for ${told.prompt_tokens} tokens in and ${told.output_tokens} out. As a prompt it is ${hard.verdict}: ${Math.round(hard.rank * 100)}\u00a0% of known prompts gain less by a strong model${hard.decides ? "" : "; this model's policy does not ask for that"}. What weighs most: ${causes}.`;
}

// The record tells the cost of a stream, which is not known when its header is sent.
async function recorded(side, id) {
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((done) => setTimeout(done, PAUSE));
    const answer = await fetch(`${API}/requests?limit=50`).catch(() => null);
    if (!answer?.ok) return;
    const found = (await answer.json()).items.find((one) => one.request_id === id);
    if (!found) continue;
    row(side.facts, "cost", `${money(found.cost_usd)}${found.saved_usd ? `, saved ${money(found.saved_usd)}` : ""}${found.simulated ? " (simulated)" : ""}`);
    row(side.facts, "tokens", `${found.tokens.input} in, ${found.tokens.output} out`);
    const link = document.createElement("a");
    link.href = `/dashboard/requests/${found.id}`;
    link.textContent = "where its time went";
    row(side.facts, "request", link);
    return;
  }
}

async function ask(side, question, signal) {
  side.facts.replaceChildren();
  bubble(side, "asked", question);
  const out = bubble(side, "told", "");
  const messages = [...side.turns, { role: "user", content: question }];
  const began = performance.now();
  let first = 0, answer, said = "", failed = "";
  try {
    answer = await fetch("/v1/chat/completions", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${form.elements.key.value.trim()}` },
      body: JSON.stringify({
        model: side.model,
        stream: true,
        temperature: Number(form.elements.temperature.value),
        max_tokens: Number(form.elements.max.value),
        messages,
      }),
    });
  } catch { out.textContent = signal.aborted ? "[stopped]" : "The hub does not answer."; return; }
  for (const [name, header] of TOLD) if (answer.headers.get(header)) row(side.facts, name, answer.headers.get(header));
  const id = answer.headers.get("x-pihub-request-id");
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    out.textContent = told.error?.message ?? `Refused (${answer.status})`;
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) break;
    held += value;
    const lines = held.split("\n");
    held = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) failed = event.error.message;
      const text = event.choices?.[0]?.delta?.content;
      if (!text) continue;
      first ||= performance.now() - began;
      said += text;
      out.append(text);
    }
  }
  if (signal.aborted) out.append(" [stopped]");
  if (failed) out.append(`\n[${failed}]`);
  // What was said so far is a turn; a question without any answer may be asked again.
  if (said) side.turns = [...messages, { role: "assistant", content: said }];
  row(side.facts, "first token", first ? time(first) : "none");
  row(side.facts, "in all", time(performance.now() - began));
  await recorded(side, id);
}

const open = () => sides.filter((side) => side.model);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  stop?.abort();
  const mine = stop = new AbortController();
  const question = form.elements.text.value.trim();
  stopper.disabled = false;
  const talks = open().map((side) => { explain(side, question); return ask(side, question, mine.signal); });
  form.elements.text.value = "";
  await Promise.allSettled(talks);
  if (stop === mine) stopper.disabled = true;
});

form.addEventListener("click", (event) => {
  const what = event.target.closest("[data-do]")?.dataset.do;
  if (what === "stop") stop?.abort();
  if (what === "explain" && form.elements.text.reportValidity()) for (const side of open()) explain(side, form.elements.text.value.trim());
  if (what !== "anew") return;
  stop?.abort();
  for (const side of sides) {
    side.turns = [];
    side.log.replaceChildren();
    side.facts.replaceChildren();
    side.whys.hidden = true;
  }
  form.elements.text.focus();
});
