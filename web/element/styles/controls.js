export const controls = `
.field { display: grid; gap: 0.35rem; min-width: 0; }
.label { display: flex; flex-wrap: wrap; gap: 0.1rem 0.75rem; justify-content: space-between; font-weight: 550; font-size: 0.94em; }
.optional { font-weight: 400; color: var(--_muted); }
.hint { color: var(--_muted); font-size: 0.9em; line-height: 1.45; }
.note { font-size: 0.92em; display: flex; gap: 0.4em; line-height: 1.45; }
.note .icon { width: 1.15em; height: 1.15em; margin-top: 0.16em; color: var(--_accent); }
.error { color: var(--_bad); font-size: 0.92em; font-weight: 500; display: flex; gap: 0.4em; line-height: 1.45; }
.error .icon { width: 1.15em; height: 1.15em; margin-top: 0.16em; }

input[type="text"], input[type="password"], select {
  font: inherit; color: inherit; background: var(--_surface);
  width: 100%; min-height: 2.6em; padding: 0.45em 0.75em; margin: 0;
  border: 1px solid var(--_edge); border-radius: var(--_small-radius);
}
input::placeholder { color: var(--_muted); opacity: 0.75; }
input:hover:not(:disabled), select:hover { border-color: var(--_text); }
input[type="text"]:focus-visible, input[type="password"]:focus-visible, select:focus-visible {
  outline: 2px solid var(--_accent); outline-offset: -1px; border-color: var(--_accent);
}
input[aria-invalid="true"] { border-color: var(--_bad); box-shadow: 0 0 0 1px var(--_bad); }
input:disabled { color: var(--_muted); background: var(--_sunken); border-color: var(--_line); opacity: 1; }

.select { position: relative; display: block; }
.select select { appearance: none; padding-inline-end: 2.4em; text-overflow: ellipsis; }
.select > .icon { position: absolute; inset-inline-end: 0.75em; top: calc(50% - 0.625em); pointer-events: none; color: var(--_muted); }
option { color: var(--_text); background: var(--_surface); }

.with-button { position: relative; }
.with-button input { padding-inline-end: 2.9em; }
.with-button .icon-only { position: absolute; inset-inline-end: 0.2em; top: 0.2em; }

button {
  font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 0; cursor: pointer;
  -webkit-tap-highlight-color: transparent;
}
button.primary, button.secondary, button.danger, button.quiet {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5em;
  min-height: 2.6em; padding: 0.45em 1.05em; border-radius: var(--_small-radius);
  font-weight: 570; line-height: 1.3; text-align: center; border: 1px solid transparent;
}
button.primary { background: var(--_accent); color: var(--_on-accent); }
button.primary:hover { background: color-mix(in oklab, var(--_accent) 88%, var(--_text)); }
button.secondary { border-color: var(--_edge); background: var(--_surface); }
button.secondary:hover, button.quiet:hover, .icon-only:hover { background-color: var(--_hover); }
button.danger { background: var(--_bad); color: light-dark(#fff, #2a0603); }
button.danger:hover { background: color-mix(in oklab, var(--_bad) 88%, var(--_text)); }
button.quiet { color: var(--_muted); }
button.quiet:hover { color: var(--_text); }
button.small { min-height: 2.1em; padding: 0.25em 0.75em; font-size: 0.92em; }
button.quiet.small { border-color: var(--_line); color: var(--_text); }
button[aria-disabled="true"] { cursor: default; }
button.primary[aria-disabled="true"]:not(:has(.spinner)) { background: var(--_sunken); color: var(--_muted); border-color: var(--_line); }
button.secondary[aria-disabled="true"], button.quiet[aria-disabled="true"] { color: var(--_muted); border-color: var(--_line); background: none; }
.icon-only { display: grid; place-items: center; width: 2.2em; height: 2.2em; border-radius: calc(var(--_small-radius) * 0.8); color: var(--_muted); }
.icon-only:hover { color: var(--_text); }

.choices .cards { display: grid; gap: 0.7rem; }
.choice { display: grid; position: relative; }
.choice input, .segments input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0; cursor: pointer; }
.choice .face {
  display: flex; gap: 0.8rem; padding: 0.85rem 0.95rem; border: 1px solid var(--_edge); border-radius: var(--_small-radius);
}
.choice .icon { width: 1.4em; height: 1.4em; color: var(--_muted); margin-top: 0.05em; }
.choice .name { display: block; font-weight: 590; }
.choice .about { display: block; color: var(--_muted); font-size: 0.9em; line-height: 1.4; margin-top: 0.1rem; }
.choice:hover .face { border-color: var(--_text); }
.choice input:checked + .face { border-color: var(--_accent); box-shadow: inset 0 0 0 1px var(--_accent); background: var(--_accent-tint); }
.choice input:checked + .face .icon { color: var(--_accent); }
.choice input:focus-visible + .face, .segments input:focus-visible + span { outline: 2px solid var(--_accent); outline-offset: 2px; }
@container (min-width: 40rem) {
  .choices .cards { grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); }
}

.segments { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; border: 1px solid var(--_edge); border-radius: var(--_small-radius); padding: 2px; gap: 2px; max-width: 27rem; }
.segments label { position: relative; display: grid; }
.segments span { display: grid; place-items: center; text-align: center; min-height: 2.2em; padding: 0.2em 0.6em; border-radius: calc(var(--_small-radius) - 2px); font-weight: 520; line-height: 1.25; }
.segments label:hover span { background: var(--_hover); }
.segments input:checked + span { background: var(--_accent); color: var(--_on-accent); }

.checkbox { display: inline-flex; gap: 0.55em; align-items: flex-start; margin: 0.2rem 0 0.1rem; justify-self: start; cursor: pointer; }
.checkbox input { accent-color: var(--_accent); width: 1.15em; height: 1.15em; margin: 0.17em 0 0; flex: none; cursor: pointer; }
.options { display: grid; gap: 0.35rem; }
.option { display: flex; gap: 0.55em; align-items: flex-start; cursor: pointer; font-weight: 520; }
.option input { accent-color: var(--_accent); width: 1.1em; height: 1.1em; margin: 0.2em 0 0; flex: none; }

.stored {
  display: flex; flex-wrap: wrap; gap: 0.2rem 0.75rem; align-items: center; justify-content: space-between;
  min-height: 2.6em; padding: 0.35em 0.75em; border: 1px solid var(--_line); border-radius: var(--_small-radius); background: var(--_sunken);
}
.is-set { display: inline-flex; gap: 0.5em; align-items: center; }
.is-set .icon { color: var(--_ok); }

.tip { display: flex; gap: 0.55em; color: var(--_text); background: var(--_accent-tint); border-radius: var(--_small-radius); padding: 0.65rem 0.8rem; font-size: 0.94em; }
.tip > .icon { color: var(--_accent); margin-top: 0.12em; }
.ask { display: grid; gap: 0.7rem; background: var(--_bad-tint); border-radius: var(--_small-radius); padding: 1.1rem; }

details > summary { cursor: pointer; display: flex; gap: 0.5em; align-items: flex-start; list-style: none; border-radius: 6px; }
details > summary::-webkit-details-marker { display: none; }
summary > .icon { transform: rotate(-90deg); color: var(--_muted); margin-top: 0.12em; }
details[open] > summary > .icon { transform: none; }
.setup { border: 1px solid var(--_line); border-radius: var(--_small-radius); padding: 0.9rem 1rem; background: var(--_sunken); }
.setup .about { display: block; color: var(--_muted); font-size: 0.92em; }
.setup-body { display: grid; gap: 1rem; margin-top: 1rem; }
.commands { display: grid; gap: 0.5rem; justify-items: start; margin-top: 0.5rem; }
pre code { font-size: 1em; }
pre { width: 100%; overflow-x: auto; background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_small-radius); padding: 0.7rem 0.85rem; line-height: 1.55; }
.handover { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; justify-content: space-between; border-top: 1px solid var(--_line); padding-top: 0.9rem; color: var(--_muted); }
`;
