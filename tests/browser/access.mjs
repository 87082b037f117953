// Who may: people with passwords, programs with tokens, what each role may, and who did what. The page in headless Chromium over the real server.
// Usage: node access.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { runAll, Server, until } from "../integration/harness.mjs";
import { Provider, secret } from "../integration/identity_provider.mjs";
import { accessible, launch } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const passwords = { ann: "correct-horse-7", bob: "battery-staple-8" };
await server.request("PUT", "/api/v1/users/ann", { role: "administrator", password: passwords.ann });

/** A page of a browser that knows nobody yet; what it complained of, refusals that the test asks for apart. */
async function stranger(place, options = {}) {
  const context = await browser.browser.newContext({ viewport: { width: 1360, height: 1000 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && !/\b(401|403|404|400|409)\b/.test(message.text()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(origin + place);
  return { context, page, complaints };
}

async function fill(page, name, password) {
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
}

async function signedIn(name, place, options) {
  const one = await stranger(place, options);
  await fill(one.page, name, passwords[name]);
  await one.page.locator(".who", { hasText: name }).waitFor();
  return one;
}

const who = async (token) => (await fetch(`${origin}/api/v1/who`, { headers: { authorization: `Bearer ${token}` } })).status;

const failed = await runAll({
  async "refuses a wrong password, takes the right one, and is where one wanted to be"() {
    const { context, page, complaints } = await stranger("/devices?agent=Silent");
    await page.getByRole("heading", { name: "Fieldwatch" }).waitFor();
    await browser.picture(page, "sign-in");
    await accessible(page, "sign-in");
    await fill(page, "ann", "not this one at all");
    await page.locator("[role=alert]", { hasText: "do not fit together" }).waitFor();
    assert.equal(await page.getByLabel("Password").inputValue(), "");
    assert.equal(await page.getByLabel("User name").inputValue(), "ann");
    await fill(page, "ann", passwords.ann);
    await page.locator(".who", { hasText: /ann.*administrator/s }).waitFor();
    assert.equal(page.url(), `${origin}/devices?agent=Silent`);
    assert.equal(await page.evaluate(() => document.cookie + Object.values(sessionStorage) + Object.values(localStorage)), "", "a script can read a secret");
    await page.reload();
    await page.locator(".who", { hasText: "ann" }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "signs out, and the session is worth nothing any more"() {
    const { context, page } = await signedIn("ann", "/");
    const [cookie] = await context.cookies();
    assert.equal(cookie.httpOnly && cookie.sameSite === "Strict", true);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("User name").waitFor();
    const status = (await fetch(`${origin}/api/v1/session`, { headers: { cookie: `${cookie.name}=${cookie.value}` } })).status;
    assert.equal(status, 401);
    await page.reload();
    await page.getByLabel("User name").waitFor();
    await context.close();
  },

  async "adds a user by keyboard, who may what the role may and sees why not more"() {
    const { context, page, complaints } = await signedIn("ann", "/");
    await page.getByRole("link", { name: "Users" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("table.users", { hasText: "ann" }).waitFor();
    await page.getByLabel("User name").focus();
    await page.keyboard.type("bob");
    await page.keyboard.press("Tab");
    await page.keyboard.type("ana"); // analyst
    await page.keyboard.press("Tab");
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("table.users tbody tr").count(), 1, "a short password was taken");
    await page.getByLabel("First password").fill(passwords.bob);
    await page.keyboard.press("Enter");
    await page.getByText("bob may sign in.").waitFor();
    await page.locator("table.users tr", { hasText: /bob.*analyst.*Enabled/s }).waitFor();
    await page.getByLabel("User name").fill("bob");
    await page.getByLabel("First password").fill("another password");
    await page.getByRole("button", { name: "Add the user" }).click();
    await page.locator("[role=alert]").waitFor(); // there is one of that name
    assert.deepEqual(complaints, []);
    const bob = await signedIn("bob", "/users");
    await bob.page.getByText("This needs the role administrator; bob is signed in as analyst.").waitFor();
    assert.equal(await bob.page.getByRole("button", { name: "Add the user" }).count(), 0);
    await bob.page.getByRole("link", { name: "Settings" }).click();
    await bob.page.getByText("needs the role administrator").waitFor();
    assert.ok(await bob.page.getByRole("switch").first().isDisabled());
    await bob.page.goto(`${origin}/audit`);
    await bob.page.locator("table.audit tbody tr").first().waitFor();
    await bob.context.close();
    await context.close();
  },

  async "goes on with what was being written when the session ends in between"() {
    const { context, page, complaints } = await signedIn("ann", "/custom-alerts/default");
    await page.getByLabel("Add a custom alert").selectOption({ label: "Execution of a process that isn't allowed" });
    await page.getByLabel(/^Allowed/).fill("busybox");
    passwords.ann = "correct-horse-9";
    await server.request("PATCH", "/api/v1/users/ann", { password: passwords.ann }); // every session ends
    await page.getByRole("button", { name: "Save" }).click();
    const again = page.getByRole("dialog", { name: "Sign in again" });
    await again.waitFor();
    await browser.picture(page, "sign-in-again");
    await accessible(page, "sign-in-again");
    assert.equal(await again.getByLabel("User name").inputValue(), "ann");
    await again.getByLabel("Password").fill(passwords.ann);
    await page.keyboard.press("Enter");
    await page.getByText("It acts within seconds").waitFor();
    assert.equal(await page.getByLabel(/^Allowed/).inputValue(), "busybox");
    assert.equal(page.url(), `${origin}/custom-alerts/default`);
    assert.match(await server.request("GET", "/api/v1/hubs/home/groups/default"), /busybox/);
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "changes a role, sets a password, disables and removes; nobody does it to themselves"() {
    const { context, page } = await signedIn("ann", "/users/bob");
    await page.getByLabel("Role").selectOption("operator");
    await page.getByRole("button", { name: "Set the role" }).click();
    await page.getByText("bob is operator now").waitFor();
    passwords.bob = "quite-another-word";
    await page.getByLabel("New password").fill(passwords.bob);
    await page.getByRole("button", { name: "Set the password" }).click();
    await page.getByText("The password of bob is set").waitFor();
    const bob = await signedIn("bob", "/account");
    await bob.page.locator(".properties", { hasText: /Role.*operator/s }).first().waitFor();
    const present = passwords.bob;
    await bob.page.getByLabel("Present password").fill("not the present one");
    passwords.bob = "a-word-of-my-own";
    await bob.page.getByLabel("New password").fill(passwords.bob);
    await bob.page.getByLabel("The new one again").fill("something else");
    await bob.page.getByText("The two are not the same.").waitFor();
    await bob.page.getByLabel("The new one again").fill(passwords.bob);
    await bob.page.getByRole("button", { name: "Change it" }).click();
    await bob.page.locator("[role=alert]", { hasText: "do not fit together" }).waitFor(); // and the session goes on
    await bob.page.getByLabel("Present password").fill(present);
    await bob.page.getByRole("button", { name: "Change it" }).click();
    await fill(bob.page, "bob", passwords.bob); // every session has ended, this one too
    await bob.page.locator(".who", { hasText: "bob" }).waitFor();
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByRole("button", { name: "Disable bob? Their sessions end." }).click();
    await page.getByText("bob may not sign in any more.").waitFor();
    await bob.page.getByRole("link", { name: "Devices", exact: true }).click();
    await bob.page.getByRole("dialog", { name: "Sign in again" }).waitFor();
    await bob.context.close();
    await page.getByRole("button", { name: "Remove the user" }).click();
    await page.getByRole("button", { name: "Remove bob for good?" }).click();
    await page.locator("table.users", { hasText: "ann" }).waitFor();
    assert.equal(await page.locator("table.users tbody tr").count(), 1);
    await page.goto(`${origin}/users/ann`);
    await page.getByText("This is you").waitFor();
    assert.ok(await page.getByRole("button", { name: "Remove the user" }).isDisabled());
    await page.goto(`${origin}/users/nobody`);
    await page.locator("[role=alert]", { hasText: "There is no user nobody." }).waitFor();
    await context.close();
  },

  async "makes a token, shows it once, and revokes it"() {
    const { context, page, complaints } = await signedIn("ann", "/tokens");
    await page.getByLabel("Name of the program").fill("siem <b>x");
    await page.getByLabel("Good for").selectOption("7");
    await page.getByLabel("home").check();
    await page.getByRole("button", { name: "Make the token" }).click();
    const token = await page.getByLabel("Token", { exact: true }).inputValue();
    assert.equal(await who(token), 200);
    await browser.picture(page, "token-made");
    await accessible(page, "token-made");
    await page.getByLabel("Name of the program").fill("one/two"); // no address can name it
    assert.equal(await page.getByLabel("Name of the program").evaluate((input) => input.validity.patternMismatch), true);
    let asked = 0;
    page.once("dialog", (dialog) => { asked += 1; void dialog.dismiss(); });
    await page.getByRole("link", { name: "Overview" }).click();
    assert.equal(asked, 1, "leaving the token asks");
    await page.getByRole("button", { name: "I have it" }).click();
    assert.equal((await page.content()).includes(token), false);
    const row = page.locator("table.tokens tr", { hasText: "siem <b>x" });
    assert.match(await row.innerText(), /reader\s+home/);
    await row.getByRole("button", { name: "Revoke" }).click();
    await row.getByRole("button", { name: "Revoke siem <b>x?" }).click();
    await row.waitFor({ state: "detached" });
    assert.equal(await who(token), 401);
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "says in the audit log who did what, and what was refused"() {
    const { context, page, complaints } = await signedIn("ann", "/audit");
    await until("the removal is in the log", async () => {
      await page.getByRole("button", { name: "Look again" }).click();
      return (await page.locator("table.audit tr", { hasText: /ann.*users\/delete.*\/api\/v1\/users\/bob.*Success/s }).count()) > 0;
    }, 30);
    await page.getByLabel("Result").selectOption("Failure");
    await page.locator("table.audit tr", { hasText: /session\/action.*Failure 401/s }).first().waitFor();
    await page.getByLabel("Who").fill('nobody"');
    await page.getByText("Nothing like this in that time.").waitFor();
    assert.match(page.url(), /who=nobody/);
    await page.getByLabel("Who").fill("ANN");
    await page.getByLabel("Result").selectOption("");
    await page.getByLabel("What").fill("tokens");
    await page.locator("table.audit tr", { hasText: /tokens\/delete/ }).waitFor();
    await page.getByRole("button", { name: "Open in the logs" }).click();
    await page.locator("table.rows tbody tr").first().waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "offers the identity provider where one is set, and comes back to the place one wanted"() {
    const without = await stranger("/");
    await without.page.getByLabel("User name").waitFor();
    assert.equal(await without.page.getByRole("link", { name: /^Sign in with/ }).count(), 0);
    await without.context.close();
    const provider = await new Provider().start();
    try {
      provider.person = { sub: "1", preferred_username: "eve", groups: ["soc"] };
      await server.request("PUT", "/api/v1/identity-provider", {
        issuer: provider.issuer, clientId: "fieldwatch", clientSecret: secret, page: origin, name: "Acme <b>ID", roles: { soc: "operator" },
      });
      const { context, page, complaints } = await stranger("/devices?agent=Silent&search=a%5Cb");
      const link = page.getByRole("link", { name: "Sign in with Acme <b>ID" });
      await link.waitFor();
      await browser.picture(page, "sign-in-elsewhere");
      await accessible(page, "sign-in-elsewhere");
      await link.click();
      await page.locator(".who", { hasText: /eve.*operator/s }).waitFor();
      assert.match(page.url(), /\/devices\?agent=Silent/);

      // The session ends: the page stays, another tab signs in, and this one goes on.
      await server.request("PATCH", "/api/v1/users/eve", { enabled: false });
      await server.request("PATCH", "/api/v1/users/eve", { enabled: true });
      const again = page.getByRole("dialog", { name: "Sign in again" });
      // The next request shows it, unless one that goes out by itself was quicker and the dialog is in the way already.
      await page.getByRole("link", { name: "Alerts", exact: true }).click({ timeout: 3000 }).catch(() => undefined);
      await again.waitFor();
      await browser.picture(page, "sign-in-again-elsewhere");
      await accessible(page, "sign-in-again-elsewhere");
      const [tab] = await Promise.all([context.waitForEvent("page"), again.getByRole("link", { name: /^Sign in with/ }).click()]);
      await tab.locator(".who", { hasText: "eve" }).waitFor();
      await tab.close();
      await page.evaluate(() => window.dispatchEvent(new Event("focus"))); // as coming back to the tab does
      await again.waitFor({ state: "detached" });
      await page.locator(".who", { hasText: "eve" }).waitFor();
      assert.deepEqual(complaints, []);
      await context.close();
    } finally {
      await server.request("DELETE", "/api/v1/identity-provider");
      provider.server.close();
      provider.server.closeAllConnections();
    }
  },

  async "is accessible, light and dark, large and small"() {
    const places = [["users", "/users", "table.users"], ["user", "/users/ann", "text=This is you"], ["tokens", "/tokens", "table.tokens"], ["audit", "/audit", "table.audit"], ["account", "/account", "form"]];
    const looks = [["", {}], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]];
    for (const [suffix, options] of looks) {
      const { context, page } = await signedIn("ann", "/", options);
      for (const [name, place, awaited] of places) {
        await page.goto(origin + place);
        await page.waitForSelector(awaited);
        await browser.judge(page, `${name}${suffix}`);
      }
      await page.getByRole("button", { name: "Sign out", exact: true }).click();
      await page.getByLabel("User name").waitFor();
      await browser.picture(page, `sign-in${suffix}`);
      await accessible(page, `sign-in${suffix}`);
      await context.close();
    }
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
