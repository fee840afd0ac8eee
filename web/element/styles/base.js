export const base = `
*, *::before, *::after { box-sizing: border-box; }

/* Resets what rules of the page for every element would pass on by inheritance. */
.root {
  all: initial;
  display: block;
  color-scheme: inherit;
  container-type: inline-size;
  max-width: var(--_width);
  font: 400 var(--_size)/1.5 var(--_font);
  color: var(--_text);
  text-align: start;
  overflow-wrap: break-word;
  -webkit-font-smoothing: antialiased;
}

h2, h3, h4, p, ol, ul, dl, dd, fieldset, legend, pre, table { margin: 0; padding: 0; border: 0; min-width: 0; }
h2 { font-size: 1.1em; font-weight: 620; line-height: 1.35; letter-spacing: -0.006em; }
h3 { font-size: 1em; font-weight: 620; line-height: 1.4; }
h4 { font-size: 0.9em; font-weight: 620; line-height: 1.5; }
legend { font-weight: 620; font-size: 1em; }
ol, ul { list-style: none; }
code, pre { font-family: var(--_mono); font-size: 0.87em; }
code { overflow-wrap: anywhere; }
time { white-space: nowrap; }

a, button.link {
  color: var(--_accent);
  font-weight: 500;
  text-decoration: underline;
  text-decoration-thickness: 1px;
  text-underline-offset: 0.18em;
  text-decoration-color: color-mix(in oklab, var(--_accent) 45%, transparent);
  border-radius: 3px;
}
a:hover, button.link:hover { text-decoration-color: currentColor; }
a .icon { width: 0.95em; height: 0.95em; margin-inline-start: 0.25em; vertical-align: -0.1em; }

.icon { width: 1.25em; height: 1.25em; flex: none; display: block; }
a .icon { display: inline-block; }
.strong { font-weight: 600; }
.small { font-size: 0.92em; }
.quiet-text { color: var(--_muted); }
.bad-text { color: var(--_bad); font-weight: 550; }
.warn-text { color: var(--_warn); }
.grow { flex: 1 1 10.5rem; min-width: 0; }
.hidden {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; border: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}

:focus { outline: none; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
/* Focus that an action has set: visible for keyboard users, without a frame round half the page. */
[tabindex="-1"]:focus-visible { outline: 2px solid var(--_accent); outline-offset: 6px; border-radius: 6px; }

@media (prefers-reduced-motion: no-preference) {
  .spinner { animation: turn 0.8s linear infinite; }
  .skeleton .bar { animation: breathe 1.6s ease-in-out infinite; }
  input, select, button, .choice .face, summary > .icon {
    transition: border-color 0.12s, background-color 0.12s, transform 0.12s;
  }
  .check, .notice, .tip, .ask { animation: appear 0.18s ease-out; }
}
.spinner .track { opacity: 0.25; }
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes breathe { 50% { opacity: 0.45; } }
@keyframes appear { from { opacity: 0; transform: translateY(-3px); } }

/* What is said of the settings, without what only a screen can do. */
@media print {
  form, .settings, button, .remedies, .skeleton, .spinner, dialog { display: none !important; }
  .card { break-inside: avoid; box-shadow: none; }
  .check.stale .diagnosis, .check.stale .stages { opacity: 1; }
}

@media (forced-colors: active) {
  .spinner, .icon { color: CanvasText; }
  .choice input:checked + .face, .segments input:checked + span { outline: 2px solid Highlight; outline-offset: -2px; }
  .badge, .mark, .chip { border: 1px solid CanvasText; }
}
`;
