"use strict";
// The list of shows as a grid: keys, cells that are edited in place, and saving them row by row.

(() => {
    const table = document.getElementById("result_list");
    const search = document.getElementById("searchbar");
    const keys = document.getElementById("grid-keys");
    const SAVED_FOR = 2500; // milliseconds for which a cell shows that it is saved
    const PAGE = 10; // rows of Page Up and Page Down

    const isTyping = (element) => element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
    const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

    function say(text) {
        document.getElementById("grid-status").textContent = text;
    }

    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || keys.open) return;
        if (event.key === "/") {
            event.preventDefault();
            search.focus();
            search.select();
        } else if (event.key === "?") {
            event.preventDefault();
            keys.showModal();
        }
    });
    document.getElementById("grid-help").addEventListener("click", () => keys.showModal());

    // One open drawer at a time; Escape and a click elsewhere close it.
    const drawers = [...document.querySelectorAll("details.grid-drop")];
    document.addEventListener("click", (event) => {
        for (const drawer of drawers) if (!drawer.contains(event.target)) drawer.open = false;
    });
    for (const drawer of drawers) {
        drawer.addEventListener("keydown", (event) => {
            if (event.key !== "Escape") return;
            drawer.open = false;
            drawer.querySelector("summary").focus();
        });
    }

    filters(document.getElementById("grid-filters"));
    if (table) grid();

    // --- the filters

    function filters(form) {
        // What asks nothing stays out of the address, but for what takes an answer of the view away.
        form.addEventListener("formdata", (event) => {
            for (const field of form.elements) {
                if (field.name && !field.value && !("view" in field.dataset)) event.formData.delete(field.name);
            }
        });
        for (const select of form.querySelectorAll("select")) {
            // A mouse has chosen when the list closes; the arrow keys pass by answers that are not meant.
            let byKeys = false;
            select.addEventListener("keydown", (event) => {
                byKeys = true;
                if (event.key === "Enter") form.requestSubmit();
            });
            select.addEventListener("pointerdown", () => { byKeys = false; });
            select.addEventListener("change", () => { if (!byKeys) form.requestSubmit(); });
        }
        for (const input of form.querySelectorAll("[data-complete]")) complete(form, input);
    }

    function complete(form, input) {
        let timer = 0;
        let asked = "";
        input.addEventListener("input", () => {
            const text = input.value;
            if ([...input.list.options].some((option) => option.value === text)) {
                form.requestSubmit();
                return;
            }
            clearTimeout(timer);
            timer = setTimeout(async () => {
                asked = text;
                const url = `${input.dataset.complete}?term=${encodeURIComponent(text)}`;
                const response = await fetch(url).catch(() => null);
                if (!response || !response.ok || response.redirected || asked !== text) return;
                const { names } = await response.json();
                input.list.replaceChildren(...names.map((name) => new Option("", name)));
            }, 150);
        });
    }

    // --- the grid

    function grid() {
        const rows = [...table.tBodies[0].rows];
        const heads = [...table.tHead.rows[0].cells];
        const token = document.querySelector("#changelist-form [name=csrfmiddlewaretoken]").value;
        const byId = new Map(rows.map((row) => [row.dataset.row, row]));
        const editables = heads.map((_, column) => column).filter((column) => "field" in rows[0].cells[column].dataset);
        const column = (name) => heads.findIndex((head) => head.dataset.column === name);
        const at = { row: 0, column: column("name") };
        const anchor = { ...at }; // the other corner of what is selected
        const refusals = new Map(); // cell -> { value, answer }
        const steps = []; // what was saved from this page, as the server takes it to undo it
        const reasonField = document.getElementById("grid-reason") ?? { value: "" };
        let queue = Promise.resolve();
        let waiting = 0; // cells on their way
        let leaving = false; // the next Tab leaves the grid

        const cellAt = (row, index) => rows[row].cells[index];
        const current = () => cellAt(at.row, at.column);
        const rowOf = (cell) => cell.closest("tr");
        const isEditable = (cell) => "field" in cell.dataset;
        const labelOf = (cell) => heads[cell.cellIndex].dataset.label;
        const nameOf = (cell) => rowOf(cell).cells[column("name")].dataset.value
            ?? rowOf(cell).cells[column("name")].textContent.trim();
        const held = (cell) => cell.dataset.draft ?? cell.dataset.value; // what the editor believes to be there

        for (const row of rows) {
            for (const cell of row.cells) {
                cell.tabIndex = -1;
                for (const inner of cell.querySelectorAll("a, input")) inner.tabIndex = -1;
            }
        }
        current().tabIndex = 0;

        // --- where one is

        function range() {
            const [top, bottom] = [Math.min(at.row, anchor.row), Math.max(at.row, anchor.row)];
            const [left, right] = [Math.min(at.column, anchor.column), Math.max(at.column, anchor.column)];
            const cells = rows.slice(top, bottom + 1).map((row) => [...row.cells].slice(left, right + 1));
            return { top, left, cells, size: (bottom - top + 1) * (right - left + 1) };
        }

        function go(row, index, { extend = false, focus = true } = {}) {
            current().tabIndex = -1;
            at.row = Math.max(0, Math.min(rows.length - 1, row));
            at.column = Math.max(0, Math.min(heads.length - 1, index));
            if (!extend) Object.assign(anchor, at);
            for (const cell of table.querySelectorAll("[aria-selected=true]")) cell.removeAttribute("aria-selected");
            const { cells, size } = range();
            if (size > 1) for (const cell of cells.flat()) cell.setAttribute("aria-selected", "true");
            current().tabIndex = 0;
            if (focus) {
                current().focus({ preventScroll: true });
                current().scrollIntoView({ block: "nearest", inline: "nearest" });
            }
            leaving = false;
        }

        /** To the next cell that can be edited; false where there is none. */
        function goOn(backwards) {
            const places = rows.flatMap((_, row) => editables.map((index) => [row, index]));
            const after = ([row, index]) => row > at.row || (row === at.row && index > at.column);
            const before = ([row, index]) => row < at.row || (row === at.row && index < at.column);
            const place = backwards ? places.filter(before).pop() : places.find(after);
            if (!place) return false;
            go(...place);
            return true;
        }

        const MOVES = {
            ArrowLeft: (far) => [at.row, far ? 0 : at.column - 1],
            ArrowRight: (far) => [at.row, far ? heads.length - 1 : at.column + 1],
            ArrowUp: (far) => [far ? 0 : at.row - 1, at.column],
            ArrowDown: (far) => [far ? rows.length - 1 : at.row + 1, at.column],
            PageUp: () => [at.row - PAGE, at.column],
            PageDown: () => [at.row + PAGE, at.column],
            Home: (far) => [far ? 0 : at.row, 0],
            End: (far) => [far ? rows.length - 1 : at.row, heads.length - 1],
        };

        // Whatever brought the focus to a cell, that is the one that keys are meant for.
        table.tBodies[0].addEventListener("focusin", (event) => {
            const cell = event.target.closest("td, th");
            if (cell && cell !== current()) go(rows.indexOf(rowOf(cell)), cell.cellIndex, { focus: false });
        });

        table.tBodies[0].addEventListener("keydown", (event) => {
            if (event.target.classList.contains("grid-input")) return;
            const control = event.ctrlKey || event.metaKey;
            if (handle(event, current(), control)) event.preventDefault();
        });

        /** Does what a key means on `cell`; false leaves it to the browser. */
        function handle(event, cell, control) {
            const { key, shiftKey } = event;
            if (key in MOVES && !event.altKey) {
                go(...MOVES[key](control), { extend: shiftKey });
            } else if (key === "Tab" && !control) {
                return !leaving && goOn(shiftKey);
            } else if (key === "Escape") {
                go(at.row, at.column);
                leaving = true;
            } else if (key === "Enter" && control) {
                cell.querySelector("a")?.click();
            } else if (key === "Enter" && refusals.has(cell)) {
                document.getElementById(cell.getAttribute("aria-describedby")).querySelector("button").focus();
            } else if (key === "Enter" || key === "F2") {
                if (isEditable(cell)) edit(cell);
                else cell.querySelector("a, input")?.click();
            } else if (key === "Delete" || key === "Backspace") {
                change(range().cells.flat().filter(isEditable).map((each) => ({ cell: each, value: "" })));
            } else if (key === " " && (shiftKey || cell.classList.contains("column-select"))) {
                rowOf(cell).querySelector(".action-select")?.click();
            } else if (control && key.toLowerCase() === "z" && !shiftKey) {
                undo();
            } else if (key.length === 1 && !control && !event.altKey && !"/?".includes(key) && isEditable(cell)) {
                edit(cell, key);
            } else {
                return key === " ";
            }
            return true;
        }

        table.tBodies[0].addEventListener("mousedown", (event) => {
            const cell = event.target.closest("td, th");
            if (event.button !== 0 || event.target.closest(".grid-input")) return;
            finishEdit();
            go(rows.indexOf(rowOf(cell)), cell.cellIndex, { extend: event.shiftKey, focus: !event.target.closest("a, input") });
            if (!event.target.closest("a, input")) event.preventDefault();
        });
        table.tBodies[0].addEventListener("mouseover", (event) => {
            const cell = event.target.closest("td, th");
            if (event.buttons !== 1 || editing || !cell || !table.contains(document.activeElement)) return;
            go(rows.indexOf(rowOf(cell)), cell.cellIndex, { extend: true });
        });
        table.tBodies[0].addEventListener("dblclick", (event) => {
            const cell = event.target.closest("td, th");
            if (cell && isEditable(cell) && !event.target.closest("a, input")) edit(cell);
        });

        // --- typing into a cell

        let editing = null; // { cell, input }

        function edit(cell, text) {
            finishEdit();
            const input = document.createElement("input");
            input.className = "grid-input";
            input.autocomplete = "off";
            input.setAttribute("aria-label", `${labelOf(cell)} of ${nameOf(cell)}`);
            input.value = text ?? held(cell);
            editing = { cell, input };
            cell.classList.add("is-editing");
            cell.append(input);
            input.focus();
            if (text === undefined) input.select();
            input.addEventListener("blur", () => finishEdit());
            // Admin's own script takes a change in the table for one that an action would lose.
            input.addEventListener("change", (event) => event.stopPropagation());
            input.addEventListener("keydown", (event) => {
                if (event.isComposing) return;
                const backwards = event.shiftKey;
                if (event.key === "Enter") {
                    finishEdit();
                    go(at.row + (backwards ? -1 : 1), at.column);
                } else if (event.key === "Tab") {
                    finishEdit();
                    if (!goOn(backwards)) go(at.row, at.column);
                } else if (event.key === "Escape") {
                    finishEdit({ keep: false });
                    go(at.row, at.column);
                } else return;
                event.preventDefault();
                event.stopPropagation();
            });
        }

        function finishEdit({ keep = true } = {}) {
            if (!editing) return;
            const { cell, input } = editing;
            editing = null;
            cell.classList.remove("is-editing");
            const value = input.value;
            input.remove();
            if (keep) change([{ cell, value }]);
        }

        // --- copying and pasting

        function shownText(cell) {
            if (isEditable(cell)) return held(cell);
            const copy = cell.cloneNode(true);
            for (const inner of copy.querySelectorAll(".grid-said, .material-symbols-outlined, input")) inner.remove();
            return copy.textContent.trim().replace(/\s+/g, " ");
        }

        const quoted = (text) => (/[\t\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

        /** The cells of a text as sheets copy it: tabs between cells, lines between rows, quotes round both. */
        function parse(text) {
            const table = [[""]];
            let inQuotes = false;
            for (let index = 0; index < text.length; index += 1) {
                const letter = text[index];
                const row = table[table.length - 1];
                if (inQuotes) {
                    if (letter === '"' && text[index + 1] === '"') { row[row.length - 1] += '"'; index += 1; }
                    else if (letter === '"') inQuotes = false;
                    else row[row.length - 1] += letter;
                } else if (letter === '"' && row[row.length - 1] === "") inQuotes = true;
                else if (letter === "\t") row.push("");
                else if (letter === "\n") table.push([""]);
                else if (letter !== "\r") row[row.length - 1] += letter;
            }
            if (table.length > 1 && table[table.length - 1].join("") === "") table.pop();
            return table;
        }

        const isHere = () => !editing && table.tBodies[0].contains(document.activeElement);

        document.addEventListener("copy", (event) => {
            if (!isHere()) return;
            const text = range().cells.map((row) => row.map((cell) => quoted(shownText(cell))).join("\t")).join("\n");
            event.clipboardData.setData("text/plain", text);
            event.preventDefault();
            say(`Copied ${plural(range().size, "cell")}.`);
        });

        document.addEventListener("paste", (event) => {
            if (!isHere()) return;
            event.preventDefault();
            const values = parse(event.clipboardData.getData("text/plain"));
            const { top, left, cells, size } = range();
            if (values.length === 1 && values[0].length === 1 && size > 1) {
                change(cells.flat().filter(isEditable).map((cell) => ({ cell, value: values[0][0] })));
                return;
            }
            const columns = editables.filter((index) => index >= left);
            if (columns[0] !== left) {
                say(editables.length ? "This cell can't be edited: begin at one that can." : "You may not edit shows.");
                return;
            }
            const edits = [];
            let lost = 0;
            values.forEach((line, down) => line.forEach((value, right) => {
                const [row, index] = [rows[top + down], columns[right]];
                if (row && index !== undefined) edits.push({ cell: row.cells[index], value });
                else lost += 1;
            }));
            change(edits, { note: lost ? ` ${plural(lost, "cell")} of the clipboard did not fit on this page.` : "" });
        });

        // --- saving

        function show(cell, value) {
            if (cell === editing?.cell) return;
            const place = cell.querySelector("a") ?? cell;
            place.textContent = value;
        }

        function mark(cell, state) {
            cell.classList.remove("is-saving", "is-saved", "is-refused");
            cell.removeAttribute("aria-invalid");
            cell.removeAttribute("aria-describedby");
            cell.removeAttribute("title");
            if (state) cell.classList.add(`is-${state}`);
        }

        /** Shows the new values at once and saves those that differ, one request after the other. */
        function change(edits, { again = false, note = "" } = {}) {
            const why = reasonField.value.trim();
            const wanted = edits.filter(({ cell, value }) => again || value !== held(cell));
            if (!wanted.length) {
                if (note) say(note.trim());
                return queue;
            }
            for (const { cell, value } of wanted) {
                refusals.delete(cell);
                if (value === cell.dataset.value && !again && !cell.classList.contains("is-saving")) {
                    keepSaved(cell, value); // back to what is saved: there is nothing to send
                    continue;
                }
                cell.dataset.draft = value;
                show(cell, value);
                mark(cell, "saving");
            }
            listRefusals();
            const sent = wanted.filter(({ cell }) => "draft" in cell.dataset);
            if (!sent.length) return queue;
            waiting += sent.length;
            say(`Saving ${plural(sent.length, "cell")}…`);
            queue = queue.then(() => send(sent, why, note)).finally(() => { waiting -= sent.length; });
            return queue;
        }

        async function send(edits, why, note) {
            const body = edits.map(({ cell, value }) => ({
                id: cell.dataset.id,
                version: Number(rowOf(cell).dataset.version),
                field: cell.dataset.field,
                value,
            }));
            const reply = await post(table.dataset.url, { edits: body, reason: why });
            if (typeof reply === "string") {
                for (const { cell, value } of edits) refuse(cell, value, { error: reply, again: true });
                listRefusals();
                say("Nothing was saved.");
                return;
            }
            let saved = 0;
            for (const answer of reply.rows) {
                const mine = edits.filter(({ cell }) => cell.dataset.id === answer.id);
                if (answer.ok) {
                    settle(byId.get(answer.id), answer, mine);
                    saved += mine.length;
                } else {
                    for (const { cell, value } of mine) refuse(cell, value, answer);
                }
            }
            const changes = reply.rows.map((answer) => answer.change).filter(Boolean);
            if (changes.length) steps.push(reply.batch ? { batch: reply.batch } : { changes });
            listRefusals();
            const refused = edits.length - saved;
            say(`${refused ? `${plural(refused, "cell")} refused, ${saved} saved.` : `Saved ${plural(saved, "cell")}.`}${note}`);
        }

        /** What the server answers, or in words why it does not. */
        async function post(url, body) {
            try {
                const response = await fetch(url, {
                    method: "POST",
                    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
                    body: JSON.stringify(body),
                    redirect: "manual",
                });
                if (response.type === "opaqueredirect") return "You are logged out. Log in in another tab, then try again.";
                const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
                if (response.ok && isJson) return await response.json();
                if (isJson) return (await response.json()).detail;
                if (response.status === 403) return "The session has changed. Load the page again, then try again.";
                return `The server could not save it (error ${response.status}). Try again in a moment.`;
            } catch {
                return "The server can't be reached. Try again when the connection is back.";
            }
        }

        function settle(row, answer, mine) {
            row.dataset.version = answer.version;
            for (const cell of row.cells) {
                if (!isEditable(cell)) continue;
                const edit = mine.find((each) => each.cell === cell);
                // What was typed since stays: it is on its way too.
                const isNewer = "draft" in cell.dataset && (!edit || cell.dataset.draft !== edit.value);
                cell.dataset.value = answer.values[cell.dataset.field];
                cell.classList.toggle("is-locked", answer.locked.includes(cell.dataset.field));
                if (!isNewer) keepSaved(cell, cell.dataset.value, Boolean(edit));
            }
            const locks = row.cells[column("locked")];
            if (locks) locks.replaceChildren(...padlock(answer.locks));
            const updated = row.cells[column("updated")];
            if (updated) updated.textContent = answer.updated;
        }

        function keepSaved(cell, value, tell = false) {
            delete cell.dataset.draft;
            show(cell, value);
            mark(cell, tell ? "saved" : "");
            if (tell) setTimeout(() => cell.classList.remove("is-saved"), SAVED_FOR);
        }

        function padlock(names) {
            if (!names.length) return [];
            const [lock, icon, said] = ["span", "span", "span"].map((tag) => document.createElement(tag));
            lock.className = "grid-locks";
            lock.title = names.join(", ");
            icon.className = "material-symbols-outlined";
            icon.setAttribute("aria-hidden", "true");
            icon.textContent = "lock";
            said.className = "grid-said";
            said.textContent = ` locked: ${names.join(", ")}`;
            lock.append(icon, String(names.length), said);
            return [lock];
        }

        function undo() {
            finishEdit();
            queue = queue.then(takeBack);
        }

        /** Has the server revert the last step: the lock that it made opens too. */
        async function takeBack() {
            const step = steps.at(-1);
            if (!step) {
                say("There is nothing to undo on this page.");
                return;
            }
            say("Undoing…");
            waiting += 1;
            const reply = await post(table.dataset.undo, step);
            waiting -= 1;
            if (typeof reply === "string") {
                say(`Nothing was undone. ${reply}`);
                return;
            }
            steps.pop();
            for (const answer of reply.rows) if (answer.values) settle(byId.get(answer.id), answer, []);
            const kept = reply.rows.filter((answer) => !answer.ok).map((answer) => answer.error);
            say(kept.length ? `Not all of the last step is undone. ${kept.join(" ")}` : "The last step is undone.");
        }

        // --- what was refused

        let serial = 0;

        function refuse(cell, value, answer) {
            if (cell.dataset.draft !== value) return; // something newer is on its way
            mark(cell, "refused");
            cell.setAttribute("aria-invalid", "true");
            refusals.set(cell, { value, answer, id: `grid-problem-${serial += 1}` });
        }

        function listRefusals() {
            const panel = document.getElementById("grid-problems");
            const entries = [...refusals].filter(([cell]) => cell.classList.contains("is-refused"));
            panel.hidden = !entries.length;
            document.getElementById("grid-problems-all").hidden = entries.filter(([, { answer }]) => answer.conflict).length < 2;
            panel.querySelector("ul").replaceChildren(...entries.map(([cell, refusal]) => entry(cell, refusal)));
        }

        function entry(cell, { value, answer, id }) {
            const item = document.createElement("li");
            item.id = id;
            cell.setAttribute("aria-describedby", id);
            const words = document.createElement("p");
            const title = document.createElement("strong");
            title.textContent = `${nameOf(cell)}, ${labelOf(cell)}: `;
            words.append(title, `you wrote “${value}”. ${reason(cell, answer)}`);
            cell.title = reason(cell, answer);
            const buttons = document.createElement("div");
            buttons.className = "desk-row";
            const choices = answer.conflict
                ? [["Keep mine", () => keepMine([cell])], ["Take theirs", () => takeTheirs([cell])]]
                : [answer.again ? ["Try again", () => change([{ cell, value }], { again: true })] : ["Edit", () => { focusOn(cell); edit(cell); }],
                    ["Discard", () => { refusals.delete(cell); keepSaved(cell, cell.dataset.value); }]];
            buttons.append(...choices.map(([text, act]) => {
                const button = document.createElement("button");
                button.type = "button";
                button.className = "desk-button";
                button.textContent = text;
                button.addEventListener("click", () => { focusOn(cell); act(); listRefusals(); });
                return button;
            }));
            item.append(words, buttons);
            return item;
        }

        function reason(cell, answer) {
            if (!answer.conflict) return answer.error;
            const { who, when, values } = answer.conflict;
            const theirs = [...rowOf(cell).cells]
                .filter((each) => isEditable(each) && values[each.dataset.field] !== each.dataset.value)
                .map((each) => `${labelOf(each)} is now “${values[each.dataset.field]}”`);
            const what = theirs.length ? theirs.join(", ") : "other fields of this show were changed";
            return `Meanwhile (${when.slice(0, 16).replace("T", " ")} UTC) ${who} changed it: ${what}.`;
        }

        const focusOn = (cell) => go(rows.indexOf(rowOf(cell)), cell.cellIndex);

        function adopt(cell) {
            const { conflict } = refusals.get(cell).answer;
            const row = rowOf(cell);
            row.dataset.version = Math.max(Number(row.dataset.version), conflict.version);
            for (const each of row.cells) {
                if (!isEditable(each) || !(each.dataset.field in conflict.values)) continue;
                each.dataset.value = conflict.values[each.dataset.field];
                if (!("draft" in each.dataset)) show(each, each.dataset.value);
            }
        }

        function keepMine(cells) {
            const edits = cells.map((cell) => ({ cell, value: refusals.get(cell).value }));
            cells.forEach(adopt);
            change(edits, { again: true });
        }

        function takeTheirs(cells) {
            cells.forEach(adopt);
            for (const cell of cells) {
                refusals.delete(cell);
                keepSaved(cell, cell.dataset.value);
            }
        }

        document.getElementById("grid-problems-all").addEventListener("click", (event) => {
            const what = event.target.dataset.all;
            const cells = [...refusals].filter(([, { answer }]) => answer.conflict).map(([cell]) => cell);
            if (!what || !cells.length) return;
            focusOn(cells[0]);
            (what === "keep" ? keepMine : takeTheirs)(cells);
            listRefusals();
        });

        window.addEventListener("beforeunload", (event) => {
            if (waiting || refusals.size || (editing && editing.input.value !== held(editing.cell))) event.preventDefault();
        });
    }
})();
