"use strict";

// Step one of a bulk edit: rows are added and removed, and each shows what its field can do.
(() => {
  const list = document.querySelector(".bulk-rows");
  if (!list) return;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const fields = read("bulk-fields");
  const noValue = read("bulk-no-value");
  const most = Number(list.dataset.most);
  const add = document.querySelector(".bulk-add");
  const part = (row, name) => row.querySelector(`[name="${name}"]`);

  // A hidden value is sent all the same: the rows are read by their order.
  function adapt(row) {
    const about = fields[part(row, "field").value];
    const action = part(row, "action");
    for (const option of action.options) option.disabled = Boolean(about) && !about.actions.includes(option.value);
    if (action.selectedOptions[0].disabled) action.value = about.actions[0];
    const takesValue = !noValue.includes(action.value);
    row.querySelector(".bulk-value").classList.toggle("off", !takesValue);
    if (about) row.querySelector(".bulk-hint").textContent = about.hint;
  }

  function number() {
    const rows = [...list.children];
    rows.forEach((row, index) => {
      for (const name of ["field", "action", "value"]) {
        const input = part(row, name);
        row.querySelector(`label[for="${input.id}"]`).htmlFor = `id_${name}_${index}`;
        input.id = `id_${name}_${index}`;
      }
      row.querySelector(".bulk-remove").hidden = rows.length === 1;
    });
    add.hidden = rows.length >= most;
  }

  add.addEventListener("click", () => {
    const row = list.lastElementChild.cloneNode(true);
    for (const error of row.querySelectorAll(".bulk-error")) error.remove();
    part(row, "field").value = "";
    part(row, "action").selectedIndex = 0;
    part(row, "value").value = "";
    list.append(row);
    number();
    adapt(row);
    part(row, "field").focus();
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest(".bulk-remove");
    if (!button) return;
    const next = button.closest(".bulk-row").nextElementSibling || button.closest(".bulk-row").previousElementSibling;
    button.closest(".bulk-row").remove();
    number();
    part(next, "field").focus();
  });
  list.addEventListener("change", (event) => adapt(event.target.closest(".bulk-row")));

  number();
  [...list.children].forEach(adapt);
  if (!document.querySelector(".bulk-error")) part(list.firstElementChild, "field").focus();
})();

// The page of a batch that is not done: it asks how far it is, and shows the result when it is.
(() => {
  const box = document.querySelector(".batch-progress");
  if (!box) return;
  const EVERY = 2000; // milliseconds
  const bar = box.querySelector("progress");
  let first = null; // the first state that was seen moving: the speed is measured from there

  function estimate(state) {
    if (state.status !== "running") return "";
    if (!first) first = { done: state.done, at: Date.now() };
    const made = state.done - first.done;
    if (!made) return "";
    const seconds = Math.ceil(((state.total - state.done) * (Date.now() - first.at)) / made / 1000);
    return seconds > 90 ? `about ${Math.ceil(seconds / 60)} minutes left` : `about ${seconds} seconds left`;
  }

  async function ask() {
    try {
      const response = await fetch(box.dataset.url, { headers: { Accept: "application/json" } });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const state = await response.json();
      if (!state.open) {
        window.location.reload();
        return;
      }
      bar.value = state.done;
      document.querySelector(".batch-status").textContent = state.label;
      box.querySelector(".batch-done").textContent = state.done.toLocaleString("en");
      box.querySelector(".batch-left").textContent = estimate(state);
      box.querySelector(".batch-waits").hidden = state.status !== "queued";
    } catch {
      box.querySelector(".batch-left").textContent = "The server can't be asked at the moment; trying again.";
    }
    window.setTimeout(ask, EVERY);
  }
  window.setTimeout(ask, EVERY);
})();
