// What pages do beyond links and forms: local times, countdowns, copying, fresh parts, and keys. All works without it.
"use strict";

const started = Date.now();
const networkNow = Date.parse(document.documentElement.dataset.now || "") || started;
const now = () => networkNow + (Date.now() - started);

const asLocal = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

function showLocalTimes(root) {
  for (const zone of root.querySelectorAll(".utc[hidden]")) zone.hidden = false;
  for (const time of root.querySelectorAll("time:not([data-until]):not([data-local])")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.dataset.local = "yes";
    time.textContent = asLocal.format(moment);
  }
}

function span(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

function countDown() {
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = Date.parse(time.dataset.until) - now();
    const text = left >= 0 ? `in ${span(left)}` : `${span(-left)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

function offerCopies(root) {
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    button.textContent = "not copied";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
});

// A second click does not send a form twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent === "yes") {
    event.preventDefault();
    return;
  }
  if (form.method === "post") {
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) setTimeout(() => { button.disabled = true; }, 0);
  }
});
// Back from another page: what was sent may be sent again, because the server decides.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});

// Parts that keep themselves up to date: the page is read again, and parts that differ are replaced.
async function refresh() {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (!parts.length || document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { "Clearwindow-Live": "1" }, redirect: "error" });
  } catch {
    return;
  }
  if (answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const other = fresh.getElementById(part.id);
    if (!other || part.contains(document.activeElement)) continue;
    const taken = document.adoptNode(other);
    part.replaceWith(taken);
    showLocalTimes(taken);
    offerCopies(taken);
  }
  countDown();
}

// g then a letter goes to a page, / to the first field of a search.
let afterG = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "/") {
    const field = document.querySelector(".filters input");
    if (field) {
      event.preventDefault();
      field.focus();
    }
    return;
  }
  if (afterG) {
    const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    afterG = false;
    if (link) link.click();
    return;
  }
  afterG = event.key === "g";
});

showLocalTimes(document);
offerCopies(document);
countDown();
setInterval(countDown, 1000);
setInterval(refresh, 10000);
