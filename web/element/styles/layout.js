export const layout = `
.stack { display: grid; gap: 1.25rem; }

.card {
  background: var(--_surface);
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  padding: 1.5rem;
  display: grid;
  gap: 1.1rem;
  min-width: 0;
}
.choices .cards { margin-top: 0.9rem; }
.settings { gap: 1.4rem; }
.settings form { display: grid; gap: 1.6rem; }

.status-line { display: flex; flex-wrap: wrap; gap: 0.75rem 0.95rem; align-items: flex-start; }
.status-line p { color: var(--_muted); margin-top: 0.1rem; }
.badge {
  display: grid; place-items: center; flex: none;
  width: 2.35em; height: 2.35em; border-radius: 50%;
  color: var(--_muted); background: var(--_sunken);
}
.badge.ok { color: var(--_ok); background: var(--_ok-tint); }
.badge.bad { color: var(--_bad); background: var(--_bad-tint); }
.badge.unknown { color: var(--_unknown); background: var(--_unknown-tint); }
.badge.warn { color: var(--_warn); background: var(--_warn-tint); }

.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(11.5rem, 100%), 1fr)); gap: 0.9rem 1.5rem; }
/* None alone in a second row. */
@container (min-width: 27rem) {
  .facts:has(> :nth-child(4):last-child) { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
.status > .facts { border-top: 1px solid var(--_line); padding-top: 1.1rem; }
.facts dt { color: var(--_muted); font-size: 0.87em; }
.facts dd { overflow-wrap: anywhere; }

.group { display: grid; gap: 1rem; }
.group > legend { margin-bottom: 0.7rem; }
.picker-group { gap: 0.6rem; }
.row { display: grid; gap: 1rem 1.1rem; align-items: start; }
@container (min-width: 34rem) {
  .row.halves { grid-template-columns: 1fr 1fr; }
  .row.server { grid-template-columns: minmax(0, 1fr) 7.5rem; }
  .row.picker { grid-template-columns: minmax(0, 1fr) 11rem; }
}

.footer { display: grid; gap: 0.55rem; border-top: 1px solid var(--_line); padding-top: 1.3rem; }
.actions { display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: center; }
form.inline { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: flex-end; }
form.inline .field { flex: 1 1 15rem; }
form.inline:has(.error) { align-items: center; }

.activity { display: grid; }
.activity > li {
  display: flex; gap: 0.75rem; align-items: flex-start; padding: 0.65rem 0; border-top: 1px solid var(--_line);
}
.activity > li:first-child { border-top: 0; padding-top: 0; }
.activity > li:last-child { padding-bottom: 0; }
.activity .what { flex: 1; min-width: 0; }
.activity .about { display: block; color: var(--_muted); font-size: 0.92em; overflow-wrap: anywhere; }
.activity .when { color: var(--_muted); font-size: 0.92em; }
.past { margin-top: 0.2rem; }
.past[open] { display: grid; gap: 0.6rem; }
.past > summary { color: var(--_muted); font-size: 0.92em; }
.past > *:not(summary) { font-size: 0.92em; }
.activity .mark { margin-top: 0.14em; }
.mark.ok { color: var(--_ok); }
.mark.bad { color: var(--_bad); }
.mark.unknown { color: var(--_unknown); }

.skeleton { gap: 0.9rem; }
.skeleton .bar { height: 1em; border-radius: 6px; background: var(--_line); }
.w30 { width: 30%; } .w40 { width: 40%; } .w60 { width: 60%; } .w70 { width: 70%; } .w80 { width: 80%; }
.w100 { width: 100%; }
.skeleton .bar.w100 { height: 2.4em; }

dialog {
  font: inherit; color: var(--_text); background: var(--_surface);
  border: 1px solid var(--_line); border-radius: var(--_radius);
  width: min(38rem, calc(100vw - 2rem)); max-height: calc(100vh - 2rem); overflow: auto;
  padding: 1.5rem;
  box-shadow: 0 18px 50px rgb(0 0 0 / 0.28);
}
dialog[open] { display: grid; gap: 1.1rem; }
dialog::backdrop { background: rgb(10 12 16 / 0.45); }
.compare { border-collapse: collapse; width: 100%; font-size: 0.95em; }
.compare th, .compare td {
  text-align: start; vertical-align: top; padding: 0.45rem 0.6rem 0.45rem 0; border-bottom: 1px solid var(--_line);
  overflow-wrap: anywhere; font-weight: 400;
}
.compare thead th { font-weight: 600; }
.compare tbody th { color: var(--_muted); }

@container (max-width: 27rem) {
  .card { padding: 1.1rem; }
  .status-line .actions, .status-line .actions button { width: 100%; }
  form.inline > button, .footer .actions > button:not(.hidden), dialog .actions button { width: 100%; }
}
`;
