// Times of day in the reader's own zone; without this script they are the hub's.

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23" });
}

export function localTimes(root) {
  for (const time of root.querySelectorAll("time[data-at]")) {
    const at = Number(time.dataset.at);
    if (!at) continue;
    time.dateTime = new Date(at * 1000).toISOString();
    time.title = new Date(at * 1000).toLocaleString();
    time.textContent = clock(at);
  }
}

// What ends by itself is counted down between two looks at the hub.
function text(seconds) {
  const whole = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  return whole < 3600 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(whole / 3600)}:${two(minutes)}:${two(whole % 60)}`;
}

export function countDown(root) {
  for (const node of root.querySelectorAll("[data-left]")) {
    node.dataset.ends = performance.now() + Number(node.dataset.left) * 1000;
  }
}

setInterval(() => {
  if (document.hidden) return;
  for (const node of document.querySelectorAll("[data-ends]")) {
    node.textContent = text((Number(node.dataset.ends) - performance.now()) / 1000);
  }
}, 1000);

localTimes(document);
countDown(document);
