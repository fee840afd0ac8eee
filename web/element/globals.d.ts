import type { EmailTransportSettings } from "./element.js";

declare global {
  interface HTMLElementTagNameMap {
    "email-transport-settings": EmailTransportSettings;
  }
}
