export const checks = `
.check { display: grid; gap: 1.1rem; }
.status > .check { border-top: 1px solid var(--_line); padding-top: 1.1rem; }
.running { display: flex; gap: 0.6em; align-items: center; font-weight: 550; }
.running .icon { color: var(--_accent); }

.stages { display: grid; gap: 0.1rem; }
.stages li { display: grid; grid-template-columns: 1.6em 1fr auto; gap: 0.65rem; align-items: center; min-height: 2.1em; color: var(--_muted); }
.stages .mark { display: grid; place-items: center; width: 1.6em; height: 1.6em; border-radius: 50%; background: var(--_sunken); color: var(--_muted); }
.stages .mark .icon { width: 1em; height: 1em; }
.stages .name { font-weight: 520; }
.stages .time { font-size: 0.87em; font-variant-numeric: tabular-nums; }
.stages .done { color: var(--_text); }
.stages .done .mark { background: var(--_ok-tint); color: var(--_ok); }
.stages .running { gap: 0.65rem; font-weight: inherit; color: var(--_text); }
.stages .running .mark { background: var(--_accent-tint); color: var(--_accent); }
.stages .failed { color: var(--_bad); }
.stages .failed .mark { background: var(--_bad); color: var(--_surface); }
.stages .unknown { color: var(--_unknown); }
.stages .unknown .mark { background: var(--_unknown); color: var(--_surface); }
@container (min-width: 38rem) {
  .stages:has(> li + li) { grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 0; }
  .stages:has(> li + li) li { position: relative; grid-template-columns: 1fr; justify-items: center; align-content: start; gap: 0.3rem; text-align: center; }
  .stages li + li::before { content: ""; position: absolute; top: 0.8em; inset-inline-end: calc(50% + 1.1em); width: calc(100% - 2.2em); height: 1px; background: var(--_line); }
  .stages li.done + li.done::before { background: color-mix(in oklab, var(--_ok) 45%, var(--_line)); }
  .stages .name { font-size: 0.92em; line-height: 1.3; }
  .stages .time { color: var(--_muted); }
}

.notice { display: flex; gap: 0.75rem; align-items: flex-start; border-radius: var(--_small-radius); padding: 0.85rem 1rem; background: var(--_sunken); }
.notice .body { display: grid; gap: 0.25rem; min-width: 0; flex: 1; }
.notice .body > p > button.small { margin-top: 0.35rem; }
.notice .mark { margin-top: 0.13em; color: var(--_accent); }
.notice.ok { background: var(--_ok-tint); } .notice.ok .mark { color: var(--_ok); }
.notice.bad { background: var(--_bad-tint); } .notice.bad .mark { color: var(--_bad); }
.notice.warn { background: var(--_warn-tint); } .notice.warn .mark { color: var(--_warn); }

.diagnosis { display: grid; gap: 0.9rem; border: 1px solid color-mix(in oklab, var(--_bad) 40%, var(--_line)); border-radius: var(--_small-radius); padding: 1.15rem; }
.diagnosis h3 { display: flex; gap: 0.65rem; align-items: flex-start; font-size: 1.05em; }
.diagnosis h3 .mark { display: grid; place-items: center; flex: none; width: 1.45em; height: 1.45em; border-radius: 50%; background: var(--_bad); color: var(--_surface); }
.diagnosis h3 .icon { width: 1em; height: 1em; }
.diagnosis.unknown { border-color: color-mix(in oklab, var(--_unknown) 45%, var(--_line)); }
.diagnosis.unknown h3 .mark { background: var(--_unknown); }
.diagnosis.unknown .chip { background: var(--_unknown-tint); color: var(--_unknown); }
.diagnosis.nobody { border-color: color-mix(in oklab, var(--_warn) 45%, var(--_line)); }
.diagnosis.nobody h3 .mark { background: var(--_warn); }
.check.stale .diagnosis, .check.stale .stages { opacity: 0.62; }
.owner { display: flex; flex-wrap: wrap; gap: 0.4rem 0.75rem; align-items: center; font-size: 0.94em; }
.chip { display: inline-block; background: var(--_accent-tint); color: var(--_accent); border-radius: 99px; padding: 0.15em 0.75em; font-weight: 570; }
.remedies { display: flex; flex-wrap: wrap; gap: 0.55rem; }
ol.steps { counter-reset: step; display: grid; gap: 0.55rem; }
ol.steps > li { counter-increment: step; position: relative; padding-inline-start: 2rem; display: grid; gap: 0.15rem; }
ol.steps > li::before { content: counter(step); position: absolute; inset-inline-start: 0; top: 0.1em; width: 1.6em; height: 1.6em; display: grid; place-items: center; font-size: 0.85em; font-weight: 600; border-radius: 50%; background: color-mix(in oklab, var(--_text) 8%, transparent); font-variant-numeric: tabular-nums; }
.command { display: flex; flex-wrap: wrap; gap: 0.4rem 0.75rem; align-items: center; margin-top: 0.35rem; }
.command code { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--_sunken); border: 1px solid var(--_line); border-radius: var(--_small-radius); padding: 0.35rem 0.6rem; }
.setup ol.steps { gap: 1.1rem; }
.links { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; }
.technical { border-top: 1px solid var(--_line); padding-top: 0.85rem; }
.technical > summary { color: var(--_muted); font-weight: 520; }
.technical[open] { display: grid; gap: 0.8rem; justify-items: start; }
.technical > *:not(summary) { margin-top: 0.75rem; max-width: 100%; }
.technical .facts { width: 100%; }
.scroll { overflow: auto; max-height: 20rem; width: 100%; border: 1px solid var(--_line); border-radius: var(--_small-radius); background: var(--_sunken); }
.scroll table { border-collapse: collapse; width: 100%; font-size: 0.92em; }
.scroll th, .scroll td { text-align: start; vertical-align: top; padding: 0.35rem 0.75rem; border-bottom: 1px solid var(--_line); font-weight: 400; }
.scroll tr:last-child > * { border-bottom: 0; }
.scroll th { color: var(--_muted); font-family: var(--_mono); font-size: 0.9em; }
@container (max-width: 27rem) {
  .scroll tr { display: grid; grid-template-columns: auto 1fr; border-bottom: 1px solid var(--_line); }
  .scroll th, .scroll td { border-bottom: 0; padding-bottom: 0; }
  .scroll td:last-child { grid-column: 1 / -1; padding-bottom: 0.35rem; }
}
.scroll .time { white-space: nowrap; color: var(--_muted); font-variant-numeric: tabular-nums; text-align: end; }
`;
