// Icons in the colour of the surrounding text. They are decorative: words say the same.

import { svg } from "../../vendor/lit-html/lit-html.js";

/** @param {unknown} paths */
const icon = (paths) => svg`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false" fill="none"
  stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`;

export const check = icon(svg`<path d="m4.5 10.5 3.5 3.5 7.5-8"/>`);
export const cross = icon(svg`<path d="m5.5 5.5 9 9m0-9-9 9"/>`);
export const dash = icon(svg`<path d="M6 10h8"/>`);
export const dot = icon(svg`<circle cx="10" cy="10" r="2.2" fill="currentColor" stroke="none"/>`);
export const warning = icon(svg`<path d="M10 3.2 17.6 16H2.4Z"/><path d="M10 8.2v3.4m0 2.2v.1"/>`);
export const info = icon(svg`<circle cx="10" cy="10" r="7.2"/><path d="M10 9.4v4m0-6.9v.1"/>`);
export const question = icon(svg`<circle cx="10" cy="10" r="7.2"/><path d="M7.9 8.1a2.1 2.1 0 1 1 2.9 2c-.6.3-.8.7-.8 1.4m0 2v.1"/>`);
export const mail = icon(svg`<rect x="2.5" y="4.5" width="15" height="11" rx="2"/><path d="m3 6 7 5 7-5"/>`);
export const server = icon(
  svg`<rect x="3" y="3.5" width="14" height="5.5" rx="1.6"/><rect x="3" y="11" width="14" height="5.5" rx="1.6"/>
    <path d="M6 6.25h.1M6 13.75h.1M9 6.25h5M9 13.75h5"/>`,
);
export const cloud = icon(svg`<path d="M6 15.5a3.5 3.5 0 0 1-.4-7 4.6 4.6 0 0 1 8.8-.9 4 4 0 0 1-.4 7.9Z"/>`);
export const off = icon(svg`<circle cx="10" cy="10" r="7.2"/><path d="m5 5 10 10"/>`);
export const lock = icon(
  svg`<rect x="4.5" y="9" width="11" height="7.5" rx="1.8"/><path d="M7 9V6.5a3 3 0 0 1 6 0V9"/>`,
);
export const key = icon(svg`<circle cx="6.8" cy="13.2" r="3.3"/><path d="m9.2 10.8 7.3-7.3m-3.2 3.2 2.2 2.2"/>`);
export const eye = icon(
  svg`<path d="M2.2 10S5 4.8 10 4.8 17.8 10 17.8 10 15 15.2 10 15.2 2.2 10 2.2 10Z"/><circle cx="10" cy="10" r="2.4"/>`,
);
export const eyeOff = icon(
  svg`<path d="M2.2 10S5 4.8 10 4.8 17.8 10 17.8 10 15 15.2 10 15.2 2.2 10 2.2 10Z"/><path d="m4 16 12-12"/>`,
);
export const copy = icon(
  svg`<rect x="7" y="7" width="9.5" height="9.5" rx="1.8"/><path d="M13 7V5.3A1.8 1.8 0 0 0 11.2 3.5H5.3a1.8 1.8 0 0 0-1.8
    1.8v5.9A1.8 1.8 0 0 0 5.3 13H7"/>`,
);
export const external = icon(svg`<path d="M8 4.5H5A1.5 1.5 0 0 0 3.5 6v9A1.5 1.5 0 0 0 5 16.5h9a1.5 1.5 0 0 0 1.5-1.5v-3"/>
  <path d="M11.5 3.5h5v5m0-5L9.5 10.5"/>`);
export const chevron = icon(svg`<path d="m6 8 4 4 4-4"/>`);
export const spinner = svg`<svg class="icon spinner" viewBox="0 0 20 20" aria-hidden="true" focusable="false" fill="none"
  stroke="currentColor" stroke-width="2" stroke-linecap="round"><circle class="track" cx="10" cy="10" r="7"/>
  <path d="M10 3a7 7 0 0 1 7 7"/></svg>`;
