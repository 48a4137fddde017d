// Two streamed chats side by side. Answers are put in as text only.

const form = document.querySelector("#ask");
const TOLD = ["x-pihub-route", "x-pihub-reason", "x-pihub-cache", "x-pihub-cost", "x-pihub-predicted-ms", "x-pihub-request-id"];
let running = [];

function row(body, name, text) {
  const line = body.insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  line.append(head);
  line.insertCell().textContent = text;
}

async function ask(side, stop) {
  const out = side.querySelector(".answer"), facts = side.querySelector("tbody");
  out.textContent = "";
  facts.replaceChildren();
  const began = performance.now();
  let first = 0, answer;
  try {
    answer = await fetch("/v1/chat/completions", {
      method: "POST",
      signal: stop,
      headers: { "content-type": "application/json", authorization: `Bearer ${form.elements.key.value.trim()}` },
      body: JSON.stringify({
        model: side.querySelector("select").value,
        stream: true,
        temperature: Number(form.elements.temperature.value),
        max_tokens: Number(form.elements.max.value),
        messages: [{ role: "user", content: form.elements.text.value }],
      }),
    });
  } catch { out.textContent = "The hub does not answer."; return; }
  for (const name of TOLD) if (answer.headers.get(name)) row(facts, name.slice(8), answer.headers.get(name));
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
      if (event.error) out.append(`\n[${event.error.message}]`);
      const text = event.choices?.[0]?.delta?.content;
      if (text && !first) first = performance.now() - began;
      if (text) out.append(text);
    }
  }
  row(facts, "first token", `${Math.round(first)} ms`);
  row(facts, "in all", `${Math.round(performance.now() - began)} ms`);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const one of running) one.abort();
  running = [...document.querySelectorAll("[data-side]")].map((side) => {
    const stop = new AbortController();
    ask(side, stop.signal);
    return stop;
  });
});
