/* The page of a show: padlocks that act at once, lists put together by name, and regions to jump to.
   Without this script the padlocks are buttons of a form, and everything but the lists works. */
"use strict";
(() => {
  const form = document.getElementById("show_form");
  const status = document.getElementById("show_status");

  const say = (text, bad) => {
    if (!status) return;
    status.hidden = false;
    status.classList.toggle("bad", Boolean(bad));
    status.textContent = text;
  };

  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  // --- padlocks

  const replaceInput = (name, html) => {
    const old = document.querySelector(`[data-input="${name}"]`);
    if (!old) return;
    const fresh = parsed(html);
    const pick = fresh.querySelector("[data-pick]");
    if (pick) {
      old.replaceChildren(fresh);
      startPick(old.querySelector("[data-pick]"));
      return;
    }
    // Values alone: the old inputs keep what other scripts have hung on them (the calendar of a date).
    for (const input of fresh.querySelectorAll("[name]")) {
      const target = old.querySelector(`[name="${input.name}"]`);
      if (target) target.value = input.value;
    }
  };

  const apply = (answer, act) => {
    for (const [name, field] of Object.entries(answer.fields || {})) {
      const side = document.querySelector(`[data-side="${name}"]`);
      if (side) side.replaceWith(parsed(field.side));
      // Locking keeps what is being typed; unlocking brings upstream's value.
      if (act === "unlock" && field.input !== undefined) replaceInput(name, field.input);
    }
    const locks = document.getElementById("show_lock_count");
    if (locks && answer.locked !== undefined) {
      locks.textContent = `${answer.locked} locked`;
      for (const part of document.querySelectorAll("[data-when-locked]")) part.hidden = !answer.locked;
    }
    const trail = document.getElementById("show_trail");
    if (trail && answer.trail) trail.replaceChildren(parsed(answer.trail));
  };

  const press = async (button) => {
    const body = new FormData(document.getElementById("show_locks"));
    body.append(button.name, button.value);
    const reason = form && form.elements.namedItem("reason");
    if (reason) body.append("reason", reason.value);
    button.disabled = true;
    try {
      const reply = await fetch(button.formAction, { method: "POST", body, headers: { Accept: "application/json" } });
      if (!(reply.headers.get("Content-Type") || "").startsWith("application/json")) {
        throw new Error(reply.status === 403 ? "You may not do this, or your login has ended." : "The server did not answer as expected. Load the page again.");
      }
      const answer = await reply.json();
      say(answer.message, !reply.ok);
      if (reply.ok) {
        apply(answer, button.dataset.act);
        const again = document.querySelector(`[data-side="${button.value}"] .show-lock`);
        if (again) again.focus();
      }
    } catch (error) {
      say(error instanceof TypeError ? "The server can't be reached. Nothing was changed." : error.message, true);
    } finally {
      button.disabled = false;
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    event.preventDefault();
    press(button);
  });

  // --- ordered lists of networks and companies

  const control = (label, text, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", label);
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  };

  function startPick(pick) {
    const hidden = pick.querySelector("[data-ids]");
    const list = pick.querySelector("ol");
    const input = pick.querySelector("[data-search-input]");
    const found = pick.querySelector("[role=listbox]");
    let asked = 0;
    let chosen = -1;

    const items = () => Array.from(list.children);
    const store = () => {
      hidden.value = items().map((item) => item.dataset.id).join(",");
      items().forEach((item, index) => {
        const [up, down] = item.querySelectorAll("button");
        up.disabled = index === 0;
        down.disabled = index === items().length - 1;
      });
      hidden.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const focusOn = (item, index) => {
      const buttons = item.querySelectorAll("button");
      (buttons[index].disabled ? buttons[1 - index] : buttons[index]).focus();
    };
    const equip = (item) => {
      const name = item.querySelector("[data-name]").textContent;
      item.append(
        control(`Move ${name} up`, "↑", () => { item.previousElementSibling.before(item); store(); focusOn(item, 0); }),
        control(`Move ${name} down`, "↓", () => { item.nextElementSibling.after(item); store(); focusOn(item, 1); }),
        control(`Remove ${name}`, "×", () => { item.remove(); store(); input.focus(); }),
      );
    };
    const close = () => {
      asked += 1;
      chosen = -1;
      found.hidden = true;
      found.replaceChildren();
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };
    const add = (option) => {
      if (!items().some((item) => item.dataset.id === option.dataset.id)) {
        const item = document.createElement("li");
        item.dataset.id = option.dataset.id;
        const text = document.createElement("span");
        text.className = "show-picked-name";
        const name = document.createElement("span");
        name.dataset.name = "";
        name.textContent = option.dataset.text;
        const id = document.createElement("span");
        id.className = "desk-quiet";
        id.textContent = ` ${option.dataset.id}`;
        text.append(name, id);
        item.append(text);
        equip(item);
        list.append(item);
        store();
      }
      input.value = "";
      close();
      input.focus();
    };
    const options = () => Array.from(found.querySelectorAll("[role=option]:not([aria-disabled])"));
    const choose = (index) => {
      const all = options();
      if (!all.length) return;
      chosen = (index + all.length) % all.length;
      all.forEach((option, position) => option.setAttribute("aria-selected", String(position === chosen)));
      all[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", all[chosen].id);
    };
    const show = (results) => {
      found.replaceChildren(...results.map((result, index) => {
        const option = document.createElement("li");
        option.id = `${found.id}_${index}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.dataset.id = result.id;
        option.dataset.text = result.text;
        option.textContent = `${result.text} (${result.id})`;
        option.addEventListener("mousedown", (event) => { event.preventDefault(); add(option); });
        return option;
      }));
      if (!results.length) {
        const none = document.createElement("li");
        none.className = "none";
        none.setAttribute("role", "option");
        none.setAttribute("aria-disabled", "true");
        none.textContent = `No ${pick.dataset.noun} has this name or id.`;
        found.append(none);
      }
      found.hidden = false;
      input.setAttribute("aria-expanded", "true");
      choose(0);
    };
    const search = async () => {
      const term = input.value.trim();
      if (!term) { close(); return; }
      asked += 1;
      const turn = asked;
      try {
        const reply = await fetch(`${pick.dataset.search}&term=${encodeURIComponent(term)}`, { headers: { Accept: "application/json" } });
        if (!reply.ok) throw new Error();
        const { results } = await reply.json();
        if (turn === asked) show(results);
      } catch {
        if (turn === asked) { close(); say("The search did not work. Load the page again.", true); }
      }
    };
    let waiting = 0;
    input.addEventListener("input", (event) => {
      event.stopPropagation();
      clearTimeout(waiting);
      waiting = setTimeout(search, 200);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") { event.preventDefault(); choose(chosen + 1); }
      else if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
      else if (event.key === "Escape") { event.preventDefault(); close(); }
      else if (event.key === "Enter") {
        event.preventDefault();  // it would save the page
        const option = options()[chosen];
        if (option) add(option);
      }
    });
    input.addEventListener("blur", close);
    items().forEach(equip);
    items().forEach((item, index) => {
      const [up, down] = item.querySelectorAll("button");
      up.disabled = index === 0;
      down.disabled = index === items().length - 1;
    });
  }
  document.querySelectorAll("[data-pick]").forEach(startPick);

  // --- regions

  const regions = Array.from(document.querySelectorAll("[data-region]"));
  let names = null;
  try { names = new Intl.DisplayNames(["en"], { type: "region" }); } catch { /* codes alone */ }
  for (const region of regions) {
    const code = region.dataset.region;
    try {
      if (names && /^[A-Z]{2}$/.test(code)) region.querySelector("[data-region-name]").textContent = names.of(code);
    } catch { /* not a code that it knows */ }
  }
  const filter = document.getElementById("show_region");
  if (filter) {
    const tell = document.getElementById("show_region_found");
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      const left = regions.filter((region) => {
        const name = region.querySelector("[data-region-name]").textContent.toLowerCase();
        const fits = !wanted || region.dataset.region.toLowerCase() === wanted || name.startsWith(wanted) || (wanted.length > 2 && name.includes(wanted));
        region.hidden = !fits;
        return fits;
      });
      for (const region of left) region.open = Boolean(wanted) && left.length <= 3;
      tell.textContent = wanted ? `${left.length} of ${regions.length}` : "";
    });
    filter.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }
})();
