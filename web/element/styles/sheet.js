// The styles as one constructed sheet: allowed by a strict Content-Security-Policy, and shared by all elements.

import { base } from "./base.js";
import { checks } from "./checks.js";
import { controls } from "./controls.js";
import { layout } from "./layout.js";
import { tokens } from "./tokens.js";

export const sheet = new CSSStyleSheet();
sheet.replaceSync([tokens, base, layout, controls, checks].join("\n"));
