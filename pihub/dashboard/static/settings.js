// Settings: a change is tried first; what the hub would say of it, and the difference, are
// shown; only then it can be applied. All texts are put in as text.

import { settled } from "./reload.js";
import { csrf, say } from "./screen.js";

const API = "/admin/api/v1/config";
const panel = document.querySelector("[data-change]");
const trial = document.querySelector("#trial");
let etag = "";

async function send(method, path, body, headers = {}) {
  const answer = await fetch(API + path, {
    method,
    headers: { "x-csrf-token": csrf(), "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  return { ok: answer.ok, told, etag: answer.headers.get("etag") };
}

function typed(input) {
  const text = input.value.trim(), kind = input.dataset.kind;
  if (text === "") return null;
  if (kind === "bool") return text === "true";
  if (kind === "list") return text.split(",").map((one) => one.trim()).filter(Boolean);
  if (kind === "number" || (kind === "either" && !Number.isNaN(Number(text)))) return Number(text);
  return text;
}

// What the fields say that is not in force; a field whose text was not touched is left alone.
function wanted() {
  if (panel.dataset.change === "text") return { text: panel.querySelector("textarea").value };
  const changes = {};
  for (const input of panel.querySelectorAll("[data-key]")) {
    if (input.value !== (input.dataset.shown ?? "")) changes[input.dataset.key] = typed(input);
  }
  return { changes };
}

function list(name, lines) {
  const node = trial.querySelector(`[data-list=${name}]`);
  node.replaceChildren(...lines.map((line) => {
    const one = document.createElement("li");
    one.textContent = line;
    return one;
  }));
  node.hidden = !lines.length;
}

async function check() {
  const body = wanted();
  if (body.changes && !Object.keys(body.changes).length) return say("Nothing is different.", "idle");
  const seen = await send("GET", "");
  etag = seen.etag;
  const { ok, told } = await send("POST", "/trials", body);
  trial.hidden = false;
  list("faults", ok ? told.faults : [told.detail ?? told.title ?? "The hub refused it."]);
  list("warnings", ok ? told.warnings : []);
  trial.querySelector("pre").textContent = ok && (told.diff || "No difference.");
  trial.querySelector("pre").hidden = !ok;
  trial.querySelector("[data-apply]").hidden = !ok || told.faults.length > 0 || !told.diff;
  trial.querySelector("h2").textContent = ok && !told.faults.length ? "What would change" : "It cannot be applied";
  trial.scrollIntoView({ block: "nearest" });
  trial.focus();
}

async function apply(button) {
  button.disabled = true;
  const body = wanted();
  const { ok, told } = await send(body.text === undefined ? "PATCH" : "PUT", "", body, { "if-match": etag });
  button.disabled = false;
  if (!ok) return say(told.detail ?? told.title ?? "The hub refused it.", "down");
  trial.hidden = true;
  say("Written. The hub reloads; open streams go on.", "look");
  if (await settled()) {
    sessionStorage.setItem("said", `Version ${told.number} is in force.`);
    return location.reload();
  }
  say("It is written, but not in force: the hub refused the reload, and its log says why.", "down");
}

panel?.addEventListener("submit", (event) => {
  event.preventDefault();
  check().catch(() => say("The hub does not answer.", "down"));
});
trial?.querySelector("[data-apply]").addEventListener("click", (event) => apply(event.target).catch(
  () => say("The hub does not answer; look again in a moment.", "down")));

const told = sessionStorage.getItem("said");
if (told) {
  sessionStorage.removeItem("said");
  say(told, "well");
}
