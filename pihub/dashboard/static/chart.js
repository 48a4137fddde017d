// Draws the two charts. pihub/dashboard/chart.py draws the same for the first view.

const WIDTH = 720, HEIGHT = 120;
export const STEP = 5;
const MINUTE = 60 / STEP;

let series = null;

export function load(given) {
  series = given;
  draw();
}

// tick: [step, rate, p50, p95]; steps that nobody saw are empty.
export function add([step, rate, p50, p95]) {
  if (!series) return;
  const size = series.rate.length;
  for (; series.last < step; series.last++) {
    series.rate.push(0);
    series.p50.push(null);
    series.p95.push(null);
  }
  for (const name of ["rate", "p50", "p95"]) series[name].splice(0, series[name].length - size);
  const index = size - 1 - (series.last - step);
  if (index < 0) return;
  series.rate[index] = rate;
  series.p50[index] = p50;
  series.p95[index] = p95;
  draw();
}

function scale(...lists) {
  let most = 0, top = 1;
  for (const list of lists) for (const value of list) if (value > most) most = value;
  for (let turn = 0; top < most; turn++) top *= [2, 2.5, 2][turn % 3];
  return top;
}

// Powers of ten around all values, at least three apart: latencies are drawn by logarithm.
function decades(...lists) {
  const known = lists.flat().filter(Boolean);
  if (!known.length) return [0, 3];
  const low = Math.floor(Math.log10(Math.min(...known)));
  const high = Math.ceil(Math.log10(Math.max(...known)));
  return [Math.min(low, high - 3), high];
}

const x = (index) => +(index * WIDTH / (series.rate.length - 1)).toFixed(1);

// height: value to 0 (bottom) ... 1
function line(values, height) {
  let path = "", pen = "M";
  values.forEach((value, index) => {
    const part = height(value);
    if (part === null) { pen = "M"; return; }
    path += `${pen}${x(index)},${+(HEIGHT - part * HEIGHT).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

function put(name, path) {
  document.querySelector(`[data-path=${name}]`)?.setAttribute("d", path);
}

function draw() {
  const top = scale(series.rate), [low, high] = decades(series.p50, series.p95);
  const path = line(series.rate, (value) => value / top);
  const level = (value) => value ? (Math.log10(value) - low) / (high - low) : null;
  put("rate_line", path);
  put("rate_area", `${path}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z`);
  put("p50_line", line(series.p50, level));
  put("p95_line", line(series.p95, level));
  say("[data-end=rate_top]", `${rate(top)}/s`);
  say("[data-end=latency_top]", ms(10 ** high));
  say("[data-end=latency_low]", ms(10 ** low));
  if (pointed) point(pointed.figure, pointed.index);
  table();
}

function say(selector, text) {
  const found = document.querySelector(selector);
  if (found && found.textContent !== text) found.textContent = text;
}

// As words.py says them.
function rate(value) {
  if (!value) return "0";
  if (value < 0.05) return "<0.1";
  return value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

function ms(value) {
  if (!value) return "–";
  if (value < 0.9995) return `${Math.max(1, value * 1000).toFixed(0)} µs`;
  if (value < 9.95) return `${value.toFixed(1)} ms`;
  if (value < 999.5) return `${value.toFixed(0)} ms`;
  if (value < 99500) return `${(value / 1000).toFixed(value < 9950 ? 1 : 0)} s`;
  return `${(value / 60000).toFixed(0)} min`;
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((a, b) => a + b) / known.length : null;
}

function table() {
  const body = document.querySelector("[data-table]");
  if (!body || !body.closest("details").open) return;
  [...body.rows].forEach((row, ago) => {
    const end = series.rate.length - ago * MINUTE;
    const part = (name) => mean(series[name].slice(end - MINUTE, end));
    const texts = [rate(part("rate")), ms(part("p50")), ms(part("p95"))];
    texts.forEach((text, column) => { row.cells[column + 1].textContent = text; });
  });
}

// ---- reading a point, with a pointer ----

let pointed = null;

function point(figure, index) {
  pointed = { figure, index };
  const ago = (series.rate.length - 1 - index) * STEP;
  const when = ago ? `${ago < 60 ? `${ago} s` : `${Math.floor(ago / 60)} min ${ago % 60} s`} ago` : "now";
  const what = figure.dataset.chart === "rate"
    ? `${rate(series.rate[index])}/s`
    : `${ms(series.p50[index])} · ${ms(series.p95[index])}`;
  figure.querySelector(".reading").textContent = `${when}: ${what}`;
  figure.querySelector(".cursor").setAttribute("d", `M${x(index)},0V${HEIGHT}`);
}

function leave(figure) {
  pointed = null;
  figure.querySelector(".reading").textContent = "";
  figure.querySelector(".cursor").setAttribute("d", "");
}

for (const figure of document.querySelectorAll("[data-chart]")) {
  const plot = figure.querySelector(".plot");
  plot.addEventListener("pointermove", (event) => {
    if (!series) return;
    const box = plot.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    point(figure, Math.round(part * (series.rate.length - 1)));
  });
  plot.addEventListener("pointerleave", () => leave(figure));
}
document.querySelector("details")?.addEventListener("toggle", () => series && table());
