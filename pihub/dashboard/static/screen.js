// A screen's life: it looks again while it is seen, and its forms speak to the admin API.
// What comes back is put in as text, or is a page of the hub's own that is parsed inertly.

import { settled } from "./reload.js";
import { countDown, localTimes } from "./times.js";

const API = "/admin/api/v1";
const said = () => document.querySelector(".said");

export function csrf() {
  return document.cookie.split("; ").find((one) => one.startsWith("pihub_csrf="))?.slice(11) ?? "";
}

export function say(text, tone, secret) {
  const line = said();
  line.hidden = false;
  line.dataset.tone = tone;
  line.textContent = text;
  if (!secret) return;
  const code = document.createElement("code");
  code.textContent = secret;
  line.append(" ", code);
}

function value(input) {
  if ("json" in input.dataset) return JSON.parse(input.value);
  if (input.type === "number") return Number(input.value);
  if (input.type === "checkbox") return input.checked;
  return input.value;
}

async function look() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected || !answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.body.dataset.build !== document.body.dataset.build) return location.reload();
  const fresh = page.querySelector(".screen");
  const open = [...document.querySelectorAll(".screen details")].map((one) => one.open);
  fresh.querySelector(".said").replaceWith(said());
  document.querySelector(".screen").replaceWith(fresh);
  fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index] ?? false; });
  localTimes(fresh);
  countDown(fresh);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.act");
  if (!form) return;
  event.preventDefault();
  if (form.dataset.sure && !confirm(form.dataset.sure)) return;
  const body = {};
  for (const input of form.elements) {
    if (input.name && input.value !== "") body[input.name] = value(input);
  }
  const options = { method: form.dataset.method, headers: { "x-csrf-token": csrf() } };
  if (Object.keys(body).length) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(API + form.dataset.path, options);
    const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    if (!answer.ok) return say(told.detail || told.title || `Refused (${answer.status})`, "down");
    const secret = form.dataset.shows ? told[form.dataset.shows] : "";
    form.reset();
    if (form.dataset.reloads !== undefined) {
      say("Done. The hub reloads; open streams go on.", "look");
      await settled();
    }
    await look();
    say(secret ? "Done. This is shown only now:" : "Done.", "well", secret);
  } catch {
    say("The hub does not answer; nothing is known of the change. Look again in a moment.", "down");
  } finally {
    button.disabled = false;
  }
});

function offerCopies() {
  for (const one of document.querySelectorAll("[data-copy]")) one.hidden = !navigator.clipboard;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.closest("section").querySelector("pre").textContent);
  button.textContent = "Copied";
});
offerCopies();

function busy() {
  const at = document.activeElement;
  return at?.closest?.(".screen form, .screen .wide") || !getSelection().isCollapsed;
}

let paused = false;
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pause]");
  if (!button) return;
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Paused: go on" : "Pause";
});

const every = Number(document.querySelector(".screen")?.dataset.refresh ?? 0) * 1000;
if (every) {
  let looking = false;
  setInterval(async () => {
    if (document.hidden || looking || paused || busy()) return;
    looking = true;
    try { await look(); } catch { /* the next look will tell */ } finally { looking = false; }
  }, every);
}
