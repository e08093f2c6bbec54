// What becomes of each field: locked, or kept up to date by TMDb. What upstream fills follows the TMDb id until it is chosen by hand.
(() => {
  const form = document.querySelector("[data-merge-form]");
  if (!form) return;
  const rows = [...form.querySelectorAll("[data-merge-row]")];
  const OWN = ["override", "imdb_id"]; // chosen for themselves
  const touched = new Set();
  const picked = (row) => row.querySelector("input:checked")?.value;
  const pick = (row, value) => { const radio = row.querySelector(`input[value="${value}"]`); if (radio) radio.checked = true; };
  const idRow = rows.find((row) => row.dataset.mergeRow === "tmdb_id");
  const upstream = () => (idRow && picked(idRow) === "source" && form.dataset.sourceHasTmdb ? "source" : "target");

  const tell = () => {
    const side = upstream();
    for (const row of rows) {
      const value = picked(row);
      const data = row.dataset;
      const together = data.set && value === "both"; // TMDb goes on with them unless an editor had locked one of the two
      const locked = together ? data.targetLocked || data.sourceLocked : value === side ? data[`${side}Locked`] : true;
      row.querySelector("[data-merge-note]").textContent = !data.lockable ? "" : locked ? "locked" : together ? "until the next sync" : "follows upstream";
    }
  };

  form.addEventListener("change", (event) => {
    const row = event.target.closest("[data-merge-row]");
    if (!row) return;
    touched.add(row);
    if (row === idRow) {
      for (const other of rows) {
        const byPeople = !other.dataset.lockable || other.dataset.targetLocked || other.dataset.sourceLocked;
        if (!OWN.includes(other.dataset.mergeRow) && !other.dataset.set && !byPeople && !touched.has(other)) pick(other, upstream());
      }
    }
    tell();
  });

  for (const button of form.querySelectorAll("[data-merge-take]")) {
    button.addEventListener("click", () => {
      for (const row of rows) { pick(row, button.dataset.mergeTake); touched.add(row); }
      tell();
    });
  }
  form.querySelector("[data-merge-all]")?.removeAttribute("hidden");
  tell();
})();
