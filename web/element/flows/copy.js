// Copies text to the clipboard and confirms it.

/** How long the button shows the confirmation. */
const CONFIRMATION_MS = 2000;

/**
 * @param {import("../app.js").App} app
 * @param {string} id of the button
 * @param {string} text
 */
export async function copy(app, id, text) {
  const done = await writeToClipboard(text);
  app.announce(app.t(done ? "copy.done" : "copy.failed"));
  if (!done) return;
  app.update({ copied: id });
  setTimeout(() => app.state.copied === id && app.update({ copied: "" }), CONFIRMATION_MS);
}

/** @param {string} text */
async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** For a page that is not served over HTTPS, which has no other way. @param {string} text */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.setAttribute("aria-hidden", "true");
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  const before = document.activeElement?.shadowRoot?.activeElement ?? document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
