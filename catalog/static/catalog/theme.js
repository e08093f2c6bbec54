/* On every page: how much waits in the inbox, beside its link; on the page of a lockout: the time that is left. */
"use strict";

(() => {
    const KEPT_FOR = 60; // seconds; a page that is opened sooner asks nothing
    const KEY = "trr-open-items";

    const kept = () => {
        try {
            const [at, count] = JSON.parse(sessionStorage.getItem(KEY));
            return Date.now() - at < KEPT_FOR * 1000 ? count : null;
        } catch {
            return null;
        }
    };

    const keep = (count) => sessionStorage.setItem(KEY, JSON.stringify([Date.now(), count]));

    const show = (link, count) => {
        link.querySelector(".trr-open-items")?.remove();
        if (!count) return;
        const badge = document.createElement("span");
        badge.className = "trr-open-items";
        badge.textContent = count;
        const words = document.createElement("span");
        words.className = "trr-only-read";
        words.textContent = " open";
        badge.append(words);
        link.append(badge);
    };

    const countOpenItems = async () => {
        const link = document.querySelector("#nav-sidebar-apps a[href$='/show/review/']");
        if (!link) return;
        const said = document.querySelector("[data-open-items]");
        const atInbox = location.pathname === new URL(link.href).pathname;
        let count = said ? Number(said.dataset.openItems) : atInbox ? null : kept();
        if (count === null) {
            const answer = await fetch(new URL("../open-items/", link.href), { headers: { Accept: "application/json" } });
            if (!answer.ok) return;
            count = (await answer.json()).open;
        }
        keep(count);
        show(link, count);
    };

    const countDown = (place) => {
        const end = Date.now() + Number(place.dataset.countDown) * 1000;
        const tell = () => {
            const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
            place.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} minutes`;
            if (left) setTimeout(tell, 1000);
        };
        tell();
    };

    document.addEventListener("DOMContentLoaded", () => {
        countOpenItems().catch(() => {}); // a number less: nothing that keeps anybody from work
        document.querySelectorAll("[data-count-down]").forEach(countDown);
    });
})();
