// Keeps a page as fresh as the server's state: the status line every two seconds, the content when it changed.
"use strict";

const PERIOD = 2000;
const line = document.getElementById("live");
const banner = document.getElementById("stale");
let version = Number(line.dataset.version);
let chain = { time: Number(line.dataset.time), at: performance.now() };

function lasting(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, unit, below, part] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / below);
      return `${Math.floor(whole / size)} ${unit}` + (rest ? ` ${rest} ${part}` : "");
    }
  }
  return `${whole} s`;
}

function countDown() {
  const now = chain.time + (performance.now() - chain.at) / 1000;
  for (const place of document.querySelectorAll("[data-deadline]")) {
    const left = Number(place.dataset.deadline) - now;
    place.textContent = left >= 0 ? `in ${lasting(left)}` : `${lasting(-left)} ago`;
  }
}

function say(stale, text) {
  if (banner.hidden === stale) banner.hidden = !stale;
  line.querySelector(".dot").classList.toggle("off", stale);
  const words = document.getElementById("stale-text");
  if (stale && words.textContent !== text) words.textContent = text;
}

// What a screen reader should hear when it changes: the audit's words. The content around them is replaced as a whole.
function spoken() {
  const place = document.getElementById("audit-status");
  return place ? place.textContent.replace(/\s+/g, " ").trim() : "";
}

async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const content = fresh.getElementById("content");
  if (!content) return;
  const focused = document.activeElement && document.activeElement.id;
  const open = [...document.querySelectorAll("details[open]")].map((details) => details.id);
  const before = spoken();
  document.getElementById("content").replaceChildren(...content.childNodes);
  document.querySelector(".crumbs").replaceChildren(...fresh.querySelector(".crumbs").childNodes);
  if (spoken() !== before) document.getElementById("spoken").textContent = spoken();
  document.title = fresh.title;
  for (const id of open) if (id && document.getElementById(id)) document.getElementById(id).open = true;
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus({ preventScroll: true });
}

async function look() {
  try {
    const state = await (await fetch("/api/state", { cache: "no-store" })).json();
    if (state.time !== null && state.time !== chain.time) chain = { time: state.time, at: performance.now() };
    const read = state.block === null ? "no block read" : `block ${state.block}`;
    document.getElementById("live-text").textContent = read;
    const age = state.block === null ? "Nothing was read yet." : `This is ${read}, read ${lasting(state.age)} ago.`;
    say(state.stale, `${age} ${state.fault || ""}`);
    if (state.version !== version) {
      await refresh();
      version = state.version;
    }
  } catch {
    say(true, "The dashboard itself does not answer; the page is as it was.");
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, PERIOD);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-verify]");
  if (!form) return;
  event.preventDefault();
  if (form.querySelector("[aria-disabled=true]")) return;
  try {
    await fetch(`/api${new URL(form.action).pathname}`, { method: "POST" });
    await refresh();
    setTimeout(look, 300);
  } catch {
    say(true, "The dashboard itself does not answer; nothing was started.");
  }
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(countDown, 1000);
setTimeout(watch, PERIOD);
