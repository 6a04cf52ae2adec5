// One ticker for the page, the keyboard, copying, and durations that go on. Everything works without it, only stiller.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const stored = (key, value) => { try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); } catch { return null; } };

  // ---- live: ask again after 1 s when something changed, then 2, 5, 15; never while nobody looks
  const steps = [1000, 2000, 5000, 15000];
  const badge = $("#nx-live");
  let step = 0, timer = 0, paused = false, over = false, lostAt = null, busy = false;

  const fresh = () => $("#nx-fresh");
  const say = (state, text) => { if (badge) { badge.hidden = !fresh(); badge.dataset.state = state; badge.lastElementChild.textContent = text; } };
  const clock = (at) => at.toLocaleTimeString([], { hour12: false });
  const disturbed = () => document.hidden || paused || $("dialog[open]") || !getSelection().isCollapsed;
  const plan = () => { clearTimeout(timer); if (!over && fresh()) timer = setTimeout(tick, steps[step]); };

  function tick() {
    if (over || !fresh()) return;
    if (disturbed() || busy) return plan();
    busy = true;
    htmx.trigger(document.body, "nx:tick");
  }
  function still(text) { over = true; clearTimeout(timer); say("still", text); }
  function status() {
    if (over) return;
    if (paused) say("paused", "Paused");
    else if (lostAt) say("lost", `Not live since ${clock(lostAt)}`);
    else say("live", "Live");
  }

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target.id === "nx-fresh") event.detail.parameters.after = event.target.dataset.pulse;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 286) event.detail.shouldSwap = true;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, elt, requestConfig } = event.detail;
    if (!requestConfig || requestConfig.triggeringEvent?.type !== "nx:tick") return;
    busy = false;
    if (xhr.status === 286) return still("Ended");
    if (xhr.status === 401 || xhr.status === 403) return still("Signed out");
    if (xhr.status === 404) return still("Gone");
    if (xhr.status === 200) { step = 0; lostAt = null; }
    else if (xhr.status === 204) { step = Math.min(step + 1, steps.length - 1); lostAt = null; }
    else { lostAt ??= new Date(); step = Math.min(step + 1, steps.length - 1); }
    status();
    plan();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { step = 0; tick(); } });
  badge?.addEventListener("click", toggleLive);
  function toggleLive() { if (!over) { paused = !paused; status(); if (!paused) { step = 0; tick(); } } }

  // What the reader opened stays open, what was loaded stays loaded.
  if (window.Idiomorph) {
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && old.hasAttribute("data-keep"));
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" || name === "aria-expanded");
  }

  // ---- time goes on between answers
  function spelled(ms) {
    const s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (s < 120) return `${s} s`;
    if (m < 60) return `${m} min`;
    if (h < 24) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
    return h % 24 ? `${d} d ${h % 24} h` : `${d} d`;
  }
  function age() {
    if (document.hidden) return;
    const now = Date.now();
    for (const node of all("time[data-ago]")) node.textContent = `${spelled(now - Date.parse(node.dateTime))} ago`;
    for (const node of all("[data-since]")) node.textContent = spelled(now - Number(node.dataset.since) / 1000);
  }
  setInterval(age, 1000);

  // ---- copying
  const toast = $("#nx-toast");
  async function copy(text) {
    try { await navigator.clipboard.writeText(text); told("Copied"); } catch { told("The browser does not allow copying here"); }
  }
  function told(text) {
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(told.timer);
    told.timer = setTimeout(() => { toast.hidden = true; }, 1600);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button.dataset.copy ?? button.closest("figure").querySelector("pre").textContent);
  });

  // ---- keyboard
  const keys = $("#nx-keys"), off = $("#nx-keys-off");
  const help = () => keys?.showModal();
  $("#nx-help")?.addEventListener("click", help);
  if (off) { off.checked = stored("nx-keys") === "off"; off.addEventListener("change", () => stored("nx-keys", off.checked ? "off" : "on")); }

  function move(by, rows = all("[data-row]")) {
    if (!rows.length) return;
    const at = rows.findIndex((row) => row === document.activeElement || row.closest("tr, li")?.contains(document.activeElement));
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    next.focus();
    next.closest("tr, li")?.scrollIntoView({ block: "nearest" });
  }
  function problem() {
    const rows = all("[data-problem]"), at = rows.findIndex((row) => row.contains(document.activeElement));
    if (rows.length) { const row = rows[(at + 1) % rows.length]; $("[data-row]", row).focus(); row.scrollIntoView({ block: "center" }); }
  }
  const pages = { r: 0, i: 1, d: 2, v: 3, e: 4 };
  let went = -Infinity; // when `g` was pressed, by the clock of the keys: a page that was busy meanwhile still obeys
  const acts = {
    j: () => move(1),
    k: () => move(-1),
    n: problem,
    l: toggleLive,
    u: () => $("[data-up]")?.click(),
    c: () => copy(location.href),
    "?": help,
    "/": () => { const box = $("#nx-search"); if (box) { box.focus(); box.select(); } else location.assign($(".top nav a").href); },
    g: (event) => { went = event.timeStamp; },
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id === "nx-search") return event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (stored("nx-keys") === "off") return;
    const page = event.timeStamp - went < 1200 ? pages[event.key] : undefined;
    const act = page !== undefined ? () => { went = -Infinity; all(".top nav a")[page]?.click(); }
      : "123".includes(event.key) ? () => all("[data-tab]")[event.key - 1]?.click() : acts[event.key];
    if (act) { event.preventDefault(); act(event); }
  });

  $(".views [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  if (fresh()) { if (fresh().hasAttribute("data-ended")) still("Ended"); else { status(); plan(); } }
})();
