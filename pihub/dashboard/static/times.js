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

localTimes(document);
