// Keeps the overview live. Texts come ready from the hub and are only put in place, always
// as textContent: nothing that a client of the hub sent can become markup.

import { add, load } from "./chart.js";
import { clock, localTimes } from "./times.js";

const ROWS = 20;
const QUIET = 4000;    // ms without a word until the page says that it waits
const RETRIES = [3000, 5000, 10000, 20000];
const body = document.body;
const says = document.querySelector("[data-live]");

function fill(node, item) {
  if ("tone" in item) node.dataset.tone = item.tone;
  for (const field of node.querySelectorAll("[data-f]")) {
    const text = String(item[field.dataset.f] ?? "");
    if (field.textContent !== text) field.textContent = text;
    if ("cache" in field.dataset) field.dataset.cache = text;
    if ("go" in field.dataset) item.href ? field.setAttribute("href", item.href) : field.removeAttribute("href");
    if (field.dataset.to) field.href = field.dataset.to + item.id;
  }
  const time = node.querySelector("time");
  if (time) time.dataset.at = item.at;
  return node;
}

function make(list, item) {
  const node = document.querySelector(`template[data-item=${list}]`).content.firstElementChild;
  return fill(node.cloneNode(true), item);
}

function show(name, items) {
  const list = document.querySelector(`[data-list=${name}]`);
  items.forEach((item, index) => {
    if (list.children[index]) fill(list.children[index], item);
    else list.append(make(name, item));
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
}

function showRequests(rows, whole) {
  const list = document.querySelector("[data-list=requests]");
  if (whole) list.replaceChildren();
  const nodes = rows.map((row) => make("requests", row));
  for (const old of list.querySelectorAll(".new")) old.classList.remove("new");
  if (!whole) for (const node of nodes) node.classList.add("new");
  list.prepend(...nodes);
  while (list.children.length > ROWS) list.lastElementChild.remove();
  localTimes(list);
}

function showTexts(texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const node of document.querySelectorAll(`[data-t=${name}]`)) node.textContent = text;
  }
  if ("headline" in texts) document.title = `pihub · ${texts.headline}`;
  if ("outage" in texts) document.querySelector(".outage").hidden = !texts.outage;
  if ("simulated" in texts) document.querySelector(".made-up").hidden = !texts.simulated;
  if ("errors_tone" in texts) {
    document.querySelector("[data-card=errors]").dataset.tone = texts.errors_tone;
  }
}

function apply(change, whole) {
  if (change.texts) showTexts(change.texts);
  if (change.tone) document.querySelector(".verdict").dataset.tone = change.tone;
  for (const name of ["alerts", "upstreams", "processes"]) {
    if (change[name]) show(name, change[name]);
  }
  if (change.requests) showRequests(change.requests, whole);
  if (change.chart) load(change.chart);
  if (change.tick) add(change.tick);
}

// ---- the connection ----

let source = null, quiet = 0, again = 0, failures = 0, last = 0;

function state(word, text) {
  says.dataset.live = word;
  const line = says.querySelector(".says");
  if (line.textContent !== text) line.textContent = text;
  body.classList.toggle("old", word === "waiting");
}

function heard(change) {
  failures = 0;
  last = change.at;
  state("on", "Live");
  clearTimeout(quiet);
  quiet = setTimeout(waiting, QUIET);
}

function waiting() {
  state("waiting", last ? `No answer since ${clock(last)}; trying again` : "Connecting");
}

function open() {
  close();
  source = new EventSource("/dashboard/events");
  source.addEventListener("snapshot", (event) => {
    const change = JSON.parse(event.data);
    // The hub was updated: its page and this one no longer fit together.
    if (change.build !== body.dataset.build) return location.reload();
    heard(change);
    apply(change, true);
  });
  source.addEventListener("delta", (event) => {
    const change = JSON.parse(event.data);
    heard(change);
    apply(change, false);
  });
  source.addEventListener("error", () => {
    // A stream that only ended is opened again by the browser; a refused one is not.
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    waiting();
    again = setTimeout(open, RETRIES[Math.min(failures++, RETRIES.length - 1)]);
  });
}

function close() {
  clearTimeout(quiet);
  clearTimeout(again);
  source?.close();
  source = null;
}

function look() {
  if (document.hidden) {
    close();
    state("paused", "Paused while hidden");
  } else if (!source) {
    open();
  }
}

document.addEventListener("visibilitychange", look);
// A page kept in the browser's back-forward cache must not hold a stream.
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", look);
look();
