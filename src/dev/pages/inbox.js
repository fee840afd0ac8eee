// Keeps the page of the inbox up to date, deletes, and takes keys. The page is whole without it.
// Everything that is put into the page comes as HTML of this server, with the mails' texts escaped.

const list = document.getElementById("list");
const state = document.getElementById("state");
const search = document.querySelector("form[role=search]");
const clear = document.getElementById("clear");

const links = () => [...list.querySelectorAll("li a")];
const idOf = (link) => new URL(link.href).pathname.split("/").pop();
const announce = (text) => { state.textContent = text; };
/** Says one of the page's own texts. */
const say = (name, values = {}) =>
  announce((state.dataset[name] ?? "").replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole));

/** Mails that have come since the list was last used. */
const unseen = new Set();
list.addEventListener("focusin", () => unseen.clear());

/** Times as the reader's clock has them; the server knows UTC only. */
function localise(root) {
  for (const time of root.querySelectorAll("time[data-style]")) {
    const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: time.dataset.style });
    time.textContent = format.format(new Date(time.dateTime));
  }
}
localise(document);

/** Fetches the page that is shown, and takes its list. */
async function refresh() {
  const before = links().map(idOf);
  const focused = list.contains(document.activeElement) ? idOf(document.activeElement) : null;
  const response = await fetch(location.href);
  // The mail that is open was deleted elsewhere: its text stays, the list comes from the whole inbox.
  const page = response.ok ? response : await fetch(`/dev/inbox${queryOf()}`);
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
  localise(fresh);
  list.replaceChildren(...fresh.getElementById("list").childNodes);
  if (document.body.classList.contains("browsing")) {
    document.querySelector("main .hint").replaceWith(fresh.querySelector("main .hint") ?? "");
  }
  const now = links();
  clear.hidden = now.length === 0;
  if (focused) (now.find((link) => idOf(link) === focused) ?? now[0])?.focus();
  return now.filter((link) => !before.includes(idOf(link)));
}

const queryOf = () => {
  const words = search.elements.q.value.trim();
  return words ? `?q=${encodeURIComponent(words)}` : "";
};

// One refresh at a time; what changes meanwhile asks for one more.
let running = false;
let again = false;
async function changed(first) {
  if (running) { again = true; return; }
  running = true;
  try {
    do {
      again = false;
      const arrived = await refresh();
      if (!first && arrived.length) {
        arrived.forEach((link) => unseen.add(idOf(link)));
        if (unseen.size === 1) say("newOne", { subject: arrived[0].querySelector(".subject").textContent });
        else say("newMany", { count: unseen.size });
      }
    } while (again);
  } catch {
    say("noAnswer");
  } finally {
    running = false;
  }
}

let first = true;
const events = new EventSource("/dev/inbox/events");
events.addEventListener("change", () => { changed(first); first = false; });
events.addEventListener("open", () => announce(""));
events.addEventListener("error", () => say("notConnected"));

async function remove(id) {
  const response = await fetch(`/dev/inbox/${id}`, { method: "DELETE" });
  if (!response.ok && response.status !== 404) { say("notDeleted"); return; }
  say("deleted");
  if (document.getElementById("delete")?.dataset.mail !== id) return;
  const all = links();
  const place = all.findIndex((link) => idOf(link) === id);
  const next = all[place + 1] ?? all[place - 1];
  location.href = next ? next.href : `/dev/inbox${queryOf()}`;
}

const remover = document.getElementById("delete");
if (remover) {
  remover.hidden = false;
  remover.addEventListener("click", () => remove(remover.dataset.mail));
}
clear.hidden = links().length === 0;
clear.addEventListener("click", async () => {
  if (!confirm(clear.dataset.question)) return;
  const response = await fetch("/dev/inbox", { method: "DELETE" });
  if (response.ok) location.href = "/dev/inbox";
  else say("notAllDeleted");
});

// Searching as it is typed, where the list is what is looked at; beside an open mail with Enter.
let typing;
search.elements.q.addEventListener("input", () => {
  if (!document.body.classList.contains("browsing")) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    history.replaceState(null, "", `/dev/inbox${queryOf()}`);
    changed(true);
  }, 150);
});

function step(by) {
  const all = links();
  if (all.length === 0) return;
  const current = all.findIndex((link) => link === document.activeElement);
  const open = all.findIndex((link) => link.getAttribute("aria-current"));
  const from = current >= 0 ? current : open >= 0 ? open : by > 0 ? -1 : all.length;
  all[Math.min(Math.max(from + by, 0), all.length - 1)].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const target = event.target;
  if (target instanceof HTMLInputElement) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const inList = list.contains(target);
  // The arrows move what is read, unless it is the list.
  const down = event.key === "j" || (inList && event.key === "ArrowDown");
  const up = event.key === "k" || (inList && event.key === "ArrowUp");
  if (down || up) {
    step(down ? 1 : -1);
  } else if (event.key === "/") {
    search.elements.q.focus();
  } else if (event.key === "Delete" && (inList || remover)) {
    remove(inList ? idOf(target.closest("a")) : remover.dataset.mail);
  } else {
    return;
  }
  event.preventDefault();
});
