// Keys of the inbox: j and k walk the cards; any other key presses what bears it on the chosen card, and nothing
// on a card that has no such action. Documented on the page under `?`.
"use strict";

(() => {
  const cards = Array.from(document.querySelectorAll("[data-review-card]"));
  const helpButton = document.querySelector("[data-review-help]");
  const help = document.getElementById("review-keys");
  const PLACE = "review-place";

  const chosen = () => cards.findIndex((card) => card.contains(document.activeElement));

  function choose(index) {
    const card = cards[Math.max(0, Math.min(index, cards.length - 1))];
    if (card) {
      card.focus({ preventScroll: true });
      card.scrollIntoView({ block: "nearest" });
    }
  }

  function toggleHelp() {
    help.hidden = !help.hidden;
    helpButton.setAttribute("aria-expanded", String(!help.hidden));
  }

  // Presses the button with a key, or goes into the field that has it.
  function press(key) {
    const card = cards[chosen()];
    const found = card && card.querySelector(`[data-review-key="${key}"]`);
    if (found && found.matches("input")) {
      found.select();
      found.focus();
    } else if (found) {
      found.click();
    }
    return Boolean(found);
  }

  const keys = {
    j: () => choose(chosen() + 1),
    k: () => choose(Math.max(chosen(), 0) - 1),
    "?": toggleHelp,
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.key === "Escape" && typing && typing.closest("[data-review-card]")) {
      typing.closest("[data-review-card]").focus();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
      return;
    }
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    } else if (/^[a-z1-9]$/.test(event.key) && !event.repeat && press(event.key)) {
      event.preventDefault();
    }
  });

  // What is doubtful is done at the second press; whatever else gets the focus in between calls it off.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-review-twice]");
    if (!button || button.dataset.armed) {
      return;
    }
    event.preventDefault();
    const words = button.querySelector("span");
    const before = words.textContent;
    const callOff = () => {
      delete button.dataset.armed;
      words.textContent = before;
    };
    button.focus();
    button.dataset.armed = "yes";
    words.textContent = "Press again to accept";
    button.addEventListener("blur", callOff, { once: true });
  });

  helpButton.addEventListener("click", toggleHelp);

  // After an action the page comes back without its card: the next one takes its place, and the focus.
  // A key that is pressed once more before it has come is not another decision.
  let sent = false;
  document.addEventListener("submit", (event) => {
    const index = cards.findIndex((card) => card.contains(event.target));
    if (index >= 0 && sent) {
      event.preventDefault();
    } else if (index >= 0) {
      sent = true;
      sessionStorage.setItem(PLACE, JSON.stringify([location.href, index]));
    }
  });
  window.addEventListener("pageshow", () => {
    sent = false; // also of a page that the browser had kept
  });
  const [address, index] = JSON.parse(sessionStorage.getItem(PLACE) || "[]");
  sessionStorage.removeItem(PLACE);
  const refused = document.querySelector("[data-review-card] [autofocus]");
  if (refused) {
    refused.focus();
  } else if (address === location.href) {
    choose(index);
  }
})();
