// Keys of the inbox: j and k walk the cards, 1 to 9 press a card's actions. Documented on the page under `?`.
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

  function press(selector, number) {
    const card = cards[chosen()];
    const button = card && card.querySelectorAll(selector)[number];
    if (button) {
      button.click();
    }
  }

  const keys = {
    j: () => choose(chosen() + 1),
    k: () => choose(Math.max(chosen(), 0) - 1),
    l: () => press("[data-review-later]", 0),
    m: () => press("[data-review-mine]", 0),
    o: () => press("[data-review-open]", 0),
    "?": toggleHelp,
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
      return;
    }
    if (/^[1-9]$/.test(event.key)) {
      event.preventDefault();
      press("[data-review-action]", Number(event.key) - 1);
    } else if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  helpButton.addEventListener("click", toggleHelp);

  // After an action the page comes back without its card: the next one takes its place, and the focus.
  document.addEventListener("submit", (event) => {
    const index = cards.findIndex((card) => card.contains(event.target));
    if (index >= 0) {
      sessionStorage.setItem(PLACE, JSON.stringify([location.href, index]));
    }
  });
  const [address, index] = JSON.parse(sessionStorage.getItem(PLACE) || "[]");
  sessionStorage.removeItem(PLACE);
  if (address === location.href) {
    choose(index);
  }
})();
