// The first steps work without this; it waits for the reload, and copies the example.

import { settled } from "./reload.js";

const waits = document.querySelector("[data-waits]");
if (waits) settled().then(() => { location.href = waits.dataset.waits; });

const copy = document.querySelector("[data-copy]");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("pre").textContent);
    copy.textContent = "Copied";
  });
}
