// Custom properties of a page (`--ets-…`) and values derived from them. Light and dark by `color-scheme`.

export const tokens = `
:host {
  all: initial;
  display: block;
  color-scheme: light dark;

  --_accent: var(--ets-accent, light-dark(#2455c3, #8cb0ff));
  --_on-accent: var(--ets-on-accent, light-dark(#ffffff, #0b1733));
  --_surface: var(--ets-surface, light-dark(#ffffff, #1a1c20));
  --_sunken: var(--ets-surface-sunken, light-dark(#f6f7f8, #131519));
  --_text: var(--ets-text, light-dark(#191c21, #eceef1));
  --_muted: var(--ets-muted, light-dark(#5a616b, #a4abb6));
  --_line: var(--ets-line, light-dark(#e2e5e9, #2d3138));
  --_edge: var(--ets-edge, light-dark(#878e99, #6d7480));
  --_ok: var(--ets-ok, light-dark(#17713f, #63d297));
  --_bad: var(--ets-bad, light-dark(#b3261e, #ff9389));
  --_warn: var(--ets-warn, light-dark(#815300, #f0c15a));
  --_unknown: var(--ets-unknown, light-dark(#6a3fb5, #c3a6ff));
  --_radius: var(--ets-radius, 10px);
  --_small-radius: calc(var(--_radius) * 0.7);
  --_font: var(--ets-font-family, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif);
  --_mono: var(--ets-font-family-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace);
  --_size: var(--ets-font-size, 0.9375rem);
  --_width: var(--ets-max-width, 46rem);

  --_accent-tint: color-mix(in oklab, var(--_accent) 9%, var(--_surface));
  --_ok-tint: color-mix(in oklab, var(--_ok) 9%, var(--_surface));
  --_bad-tint: color-mix(in oklab, var(--_bad) 8%, var(--_surface));
  --_unknown-tint: color-mix(in oklab, var(--_unknown) 9%, var(--_surface));
  --_warn-tint: color-mix(in oklab, var(--_warn) 10%, var(--_surface));
  --_hover: color-mix(in oklab, var(--_text) 5%, transparent);
}
:host([hidden]) { display: none; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
`;
