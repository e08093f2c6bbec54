/* Exports that wait or go on, kept up to date: on the list, on the page of one, and on the dashboard.

   While one is open, how far it is is asked for every two seconds. What is more than a line of text (the status, the
   differences, the buttons) is taken out of the page itself, asked for anew. */
"use strict";

(() => {
  const root = document.querySelector("[data-live-exports]");
  if (!root) return;
  const POLL = 2000; // milliseconds
  const REGIONS = "[data-export-region], #result_list";
  const news = root.querySelector("[data-export-news]");
  const trouble = root.querySelector("[data-export-trouble]");

  const marks = () => Array.from(document.querySelectorAll("[data-export-open]"), (mark) => mark.dataset);

  const known = new Map(marks().map((mark) => [Number(mark.exportOpen), mark.exportStatus])); // as last told

  const say = (text) => {
    if (trouble.textContent === text) return;
    trouble.textContent = text;
    trouble.hidden = !text;
  };

  const write = (run) => {
    for (const part of document.querySelectorAll(`[data-export="${run.id}"]`)) {
      const text = run.parts[part.dataset.exportPart];
      if (text && part.textContent !== text) part.textContent = text;
    }
  };

  const replace = (old, fresh) => {
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const copy = document.importNode(fresh, true);
    old.replaceWith(copy);
    if (window.htmx) window.htmx.process(copy);
    if (focus) {
      const same = focus.href && Array.from(copy.querySelectorAll("a")).find((link) => link.href === focus.href);
      (same || (copy.matches("[tabindex]") ? copy : document.body)).focus();
    }
  };

  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of page.querySelectorAll(REGIONS)) {
      const old = document.getElementById(fresh.id);
      if (old) replace(old, fresh);
    }
  };

  let owed = false; // a look at the whole page that failed

  const ask = async () => {
    try {
      const address = new URL(root.dataset.liveExports, location.href);
      for (const id of known.keys()) address.searchParams.append("run", id);
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.status === 403 || answer.redirected) {
        say("Your login has ended, or you may not see exports any more. Load the page again.");
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const told = await answer.json();
      for (const run of told.runs) {
        if (!known.has(run.id)) continue;
        write(run);
        if (known.get(run.id) === run.status) continue;
        known.set(run.id, run.status);
        owed = true;
        if (!run.is_open) news.textContent = `Export ${run.id} has ended: ${run.verdict}.`;
      }
      if (owed) {
        await refresh();
        owed = false;
      }
      say("");
    } catch {
      say("The server can't be reached at the moment; trying again.");
    }
    if (owed || marks().length) setTimeout(ask, POLL);
  };

  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // the browser had kept it, as it was then
  });
  if (marks().length) setTimeout(ask, POLL);
})();
