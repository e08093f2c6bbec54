/* Runs that wait or go on, kept up to date: on the list, on the page of one, and on the dashboard.

   Figures come by the staff's WebSocket; where there is none, the same are asked for every few seconds. What is not
   a figure (the status, what failed and why, the workers) is taken out of the page itself, asked for anew. */
"use strict";

(() => {
  const root = document.querySelector("[data-live-runs]");
  if (!root) return;
  const POLL = 3000; // milliseconds
  const BACKOFF = [1000, 2000, 5000, 10000, 30000]; // between two tries of the WebSocket
  const NO_ENTRY = [4400, 4401, 4403]; // closed with these it will not be opened
  const COUNTED = ["created", "updated", "unchanged", "failed", "gone", "unresolved", "logos"]; // in this order
  const OPEN = ["queued", "running"];
  const REGIONS = "[data-live-region], #result_list, #failures-group";
  const followsAll = root.dataset.liveRuns === "all";
  const REFRESH = followsAll ? 30000 : 10000; // between two looks at the whole page, while runs go on
  const news = root.querySelector("[data-live-news]");
  const trouble = root.querySelector("[data-live-trouble]");

  // --- words, as the server has them

  const number = (value) => value.toLocaleString("en");

  const duration = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
  };

  const timeLeft = (seconds) => {
    if (seconds === null) return "";
    if (seconds < 60) return "less than a minute left";
    const minutes = Math.round(seconds / 60);
    const hours = Math.floor(minutes / 60);
    return `about ${hours ? `${hours} h ` : ""}${minutes % 60} min left`;
  };

  const counts = (run) => {
    const place = (name) => (COUNTED.includes(name) ? COUNTED.indexOf(name) : COUNTED.length);
    const names = Object.keys(run.counts).filter((name) => run.counts[name]);
    names.sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
    return names.map((name) => `${number(run.counts[name])} ${name}`).join(", ");
  };

  const progress = (run) => (run.total === null ? number(run.done) : `${number(run.done)} of ${number(run.total)}`);

  const TEXTS = {
    progress,
    counts,
    left: (run) => timeLeft(run.seconds_left),
    requests: (run) => number(run.requests),
    failed: (run) => number(run.failed),
    took: (run, now) => duration(Math.max(0, Math.round((Date.parse(run.finished_at || now) - Date.parse(run.started_at)) / 1000))),
  };

  // --- the page

  const marks = () => Array.from(document.querySelectorAll("[data-run-open]"), (mark) => mark.dataset);

  const openHere = () => marks().map((mark) => Number(mark.runOpen));

  const known = new Map(marks().map((mark) => [Number(mark.runOpen), mark.runStatus])); // as last told

  const isHere = (run) => document.querySelector(`[data-run="${run.run_id}"]`) !== null;

  const say = (text) => {
    if (trouble.textContent === text) return;
    trouble.textContent = text;
    trouble.hidden = !text;
  };

  const write = (run, now) => {
    for (const part of document.querySelectorAll(`[data-run="${run.run_id}"]`)) {
      const name = part.dataset.runPart;
      if (name === "bar") {
        if (run.total === null) continue;
        part.max = run.total || 1;
        part.value = run.total ? run.done : 1;
      } else if (TEXTS[name]) {
        const text = TEXTS[name](run, now);
        if (text || name !== "counts") part.textContent = text;
      }
    }
  };

  const take = (run, now) => {
    const isOpen = OPEN.includes(run.status);
    const wasOpen = openHere().includes(run.run_id) || OPEN.includes(known.get(run.run_id));
    const isNew = known.get(run.run_id) !== run.status;
    const wasTold = known.has(run.run_id);
    known.set(run.run_id, run.status);
    if (!isHere(run)) {
      if (followsAll && isNew) refresh(true);
      return;
    }
    write(run, now);
    if (!isOpen && wasOpen && isNew) {
      news.textContent = `Run ${run.run_id} has ended: ${run.status}. ${progress(run)} done, ${number(run.failed)} failed.`;
      refresh(true);
    } else {
      refresh(isNew && wasTold);
    }
  };

  // --- what is no figure

  let refreshing = false;
  let again = false; // asked for while it was at work
  let lastRefresh = Date.now();

  const replace = (old, fresh, isLast) => {
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const isUsed = focus || (document.getSelection().toString() && old.contains(document.getSelection().anchorNode));
    if (isUsed && !isLast) return; // later, when nobody is in the middle of it
    const scrolled = Array.from(old.querySelectorAll(".desk-scroll"), (box) => [box.scrollTop, box.scrollLeft]);
    const copy = document.importNode(fresh, true);
    old.replaceWith(copy);
    copy.querySelectorAll(".desk-scroll").forEach((box, index) => {
      if (scrolled[index]) [box.scrollTop, box.scrollLeft] = scrolled[index];
    });
    if (window.htmx) window.htmx.process(copy);
    if (focus) {
      const same = focus.href && Array.from(copy.querySelectorAll("a")).find((link) => link.href === focus.href);
      (same || (copy.matches("[tabindex]") ? copy : document.body)).focus();
    }
  };

  async function refresh(now) {
    if (refreshing) {
      again = again || now;
      return;
    }
    if (!now && Date.now() - lastRefresh < REFRESH) return;
    refreshing = true;
    lastRefresh = Date.now();
    askQueue();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return; // what asks for the figures says why
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const ended = openHere().length > 0 && !page.querySelector("[data-run-open]");
      for (const fresh of page.querySelectorAll(REGIONS)) {
        const old = document.getElementById(fresh.id);
        if (old) {
          replace(old, fresh, ended && !followsAll);
        } else if (fresh.id === "result_list") {
          location.reload(); // the first run of an empty list
        }
      }
    } catch {
      // The server is away: what asks for the figures says so.
    } finally {
      refreshing = false;
      if (again) {
        again = false;
        setTimeout(() => refresh(true), 1000);
      }
    }
    if (isDone()) stop();
  }

  // --- how much waits in the queue: told by nobody, so it is asked for with the rest of the page

  const askQueue = async () => {
    const line = document.querySelector("[data-queue]");
    if (!line) return;
    const tasks = (count) => (count === 1 ? "1 task" : `${number(count)} tasks`);
    let told = { ok: false, reason: "the server does not answer" };
    try {
      const answer = await fetch(line.dataset.queue, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected) told = await answer.json();
    } catch {
      // as it stands
    }
    line.classList.toggle("bad", !told.ok);
    line.textContent = told.ok
      ? `${tasks(told.waiting)} in the queue, ${told.taken ? `${tasks(told.taken)} at work` : "none at work"}.`
      : `Nothing can be queued: ${told.reason}.`;
  };

  // The page of one run has nothing to wait for once that has ended.
  const isDone = () => !followsAll && openHere().length === 0;

  // --- asking

  let asking = null; // the timer, while there is no WebSocket

  async function ask() {
    try {
      const address = new URL(root.dataset.figures, location.href);
      for (const id of openHere()) address.searchParams.append("run", id);
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.status === 403 || answer.redirected) {
        say("Your login has ended, or you may not see runs any more. Load the page again.");
        stop();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const told = await answer.json();
      say("");
      for (const run of told.runs) take(run, told.ts);
    } catch {
      say("The server can't be reached at the moment; trying again.");
    }
  }

  const askOnAndOn = () => {
    if (asking === null && !stopped) {
      ask();
      asking = setInterval(ask, POLL);
    }
  };

  const stopAsking = () => {
    clearInterval(asking);
    asking = null;
  };

  // --- listening

  let socket = null;
  let tries = 0;
  let stopped = false;

  const listen = () => {
    if (stopped) return;
    const address = new URL(root.dataset.socket, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    try {
      socket = new WebSocket(address);
    } catch {
      askOnAndOn(); // a browser that knows none, or may not
      return;
    }
    socket.addEventListener("message", (event) => {
      const frame = JSON.parse(event.data);
      if (frame.type === "subscribed") {
        tries = 0;
        stopAsking();
        ask(); // once: what has ended in between is told by nobody else
      } else if (frame.type === "sync_progress" || frame.type === "sync_finished") {
        take(frame.payload, frame.ts);
      }
    });
    socket.addEventListener("close", (event) => {
      socket = null;
      if (stopped) return;
      askOnAndOn();
      if (NO_ENTRY.includes(event.code)) return;
      const pause = BACKOFF[Math.min(tries, BACKOFF.length - 1)];
      tries += 1;
      setTimeout(listen, pause * (0.75 + Math.random() / 2));
    });
  };

  const stop = () => {
    stopped = true;
    stopAsking();
    if (socket) socket.close();
  };

  window.addEventListener("pagehide", () => socket && socket.close());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && !isDone()) location.reload(); // the browser had kept it, as it was then
  });
  askQueue();
  if (!isDone()) listen();
})();
