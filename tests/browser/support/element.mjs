// The element as a person meets it: the console's page with a tenant of its own, and words for what one does there.
import assert from "node:assert/strict";

let tenants = 0;

/** A tenant that nothing else uses. */
export function freshTenant() {
  tenants += 1;
  return `tenant-${process.pid}-${tenants}`;
}

/**
 * The console, signed in as an administrator of a tenant.
 *
 * @returns the page with helpers; `page.token` is the administrator's
 */
export async function openConsole(browser, dev, { tenant = freshTenant(), admin = true, email, at = dev.console, ...options } = {}) {
  const page = await browser.open(options);
  const token = dev.token(tenant, { admin, email });
  await page.route("**/console/session", (route) => route.fulfill({ json: { mode: "dev", token } }));
  await page.goto(at);
  return Object.assign(page, { token, ...words(page, dev, token) });
}

/** What one does and sees. */
export function words(page, dev, token) {
  const field = (name) => page.locator(`[name="${name}"]`);
  return {
    field,
    ready: () => page.locator("#settings-title").waitFor(),
    button: (name) => page.getByRole("button", { name, exact: true }),
    /** By its card, as a pointer would. */
    choose: (provider) => page.locator("label.choice", { has: page.locator(`#provider-${provider}`) }).click(),
    security: (value) => page.locator(".segments label", { has: page.locator(`[value="${value}"]`) }).click(),
    async fill(values) {
      for (const [name, value] of Object.entries(values)) await field(name).fill(String(value));
    },
    /** An account of the inbox, from an empty form. */
    async enterAccount(changes = {}) {
      const values = {
        serverAddress: "localhost", serverPort: dev.smtpPort, emailAddress: "platform@example.com", username: "dev",
        emailPassword: dev.password, ...changes,
      };
      await page.locator("label.choice", { has: page.locator("#provider-BasicAuth") }).click();
      await page.getByLabel("Same as sender address").uncheck();
      for (const [name, value] of Object.entries(values)) await field(name).fill(String(value));
    },
    save: () => page.locator("#save").click(),
    diagnosis: () => page.locator(".diagnosis"),
    /** Waits for a diagnosis and tells its code. */
    async code() {
      await page.locator(".diagnosis").waitFor();
      return (await page.locator(".technical code").first().textContent())?.trim();
    },
    async saved() {
      await page.locator(".check .notice.ok").waitFor();
    },
    /** What is stored, as the API tells it. */
    stored: async () => (await dev.api(token, "GET", "/email-config")).body,
    /** Id and name of the element that has the focus, in whatever shadow root. */
    focused: () => page.evaluate(() => {
      let active = document.activeElement;
      while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
      return [active?.id, active?.getAttribute("name")];
    }),
    async focusIs(expected) {
      await page.waitForFunction((wanted) => {
        let active = document.activeElement;
        while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
        return [active?.id, active?.getAttribute("name")].includes(wanted);
      }, expected).catch(async () => assert.fail(`the focus is not on ${expected}`));
    },
    /** What a screen reader was told last. */
    told: () => page.locator('[role="status"]').textContent(),
  };
}
