// People who work together: queries kept and shared, alerts that are somebody's. The page in headless Chromium over the real server.
// Usage: node teamwork.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { accessible, ask, launch } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const password = "correct-horse-7";
for (const [name, role] of [["ann", "operator"], ["bob", "analyst"], ["rita", "reader"], ["gone", "operator"]])
  await server.request("PUT", `/api/v1/users/${name}`, { role, password });
await server.request("PATCH", "/api/v1/users/gone", { enabled: false });
const pump = await server.create("pump-3", "azureiotsecurity");
await publish(server, pump, processMessage("cpuminer-multi"));
await server.rows('SecurityAlert | where AlertType == "IoT_CryptoMiner" | distinct SystemAlertId');
const [[minerId]] = await server.query('SecurityAlert | where AlertType == "IoT_CryptoMiner" | project SystemAlertId');

async function signedIn(name, place, options = {}) {
  const context = await browser.browser.newContext({ viewport: { width: 1360, height: 1000 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && !/\b(401|403)\b/.test(message.text()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(origin + place);
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.locator(".who", { hasText: name }).waitFor();
  return { context, page, complaints };
}
const saved = (page) => page.getByRole("region", { name: "Saved queries" });
const hostile = "tar <img src=x onerror=alert(1)>";

const failed = await runAll({
  async "keeps a query, changes it, shares it; somebody else opens it and cannot change it"() {
    const { context, page, complaints } = await signedIn("ann", "/logs");
    await saved(page).getByText("Nothing is kept yet.").waitFor();
    await ask(page, "SecurityIoTRawEvent | take 7");
    await page.getByLabel("Time range").selectOption("P7D");
    await saved(page).getByRole("button", { name: "Keep this query…" }).click();
    await saved(page).getByLabel("Name").fill(hostile);
    await saved(page).getByLabel("What it is for").fill("after a break-in");
    await browser.picture(page, "saved-query-keeping");
    await accessible(page, "keeping a query");
    await page.keyboard.press("Enter");
    await saved(page).getByText("is kept.").waitFor();
    await saved(page).locator("li", { hasText: hostile }).waitFor();
    const bob = await signedIn("bob", "/logs");
    await saved(bob.page).getByText("Nothing is kept yet.").waitFor();

    await ask(page, "SecurityIoTRawEvent | take 8");
    await saved(page).getByRole("button", { name: "Keep this query…" }).click();
    assert.equal(await saved(page).getByLabel("Name").inputValue(), hostile);
    await saved(page).getByLabel("Share it with everyone who may query").check();
    await saved(page).getByRole("button", { name: "Keep the change" }).click();
    await saved(page).getByText("everyone who may query sees it").waitFor();
    assert.equal(await saved(page).locator("li").count(), 1, "it was changed, not kept twice");
    await browser.picture(page, "saved-queries");

    await bob.page.reload();
    const theirs = saved(bob.page).locator("li", { hasText: hostile });
    await theirs.getByText("shared by ann").waitFor();
    assert.equal(await theirs.getByRole("button", { name: "Remove" }).count(), 0);
    await theirs.getByRole("button", { name: hostile }).click();
    await until("it stands in the editor", async () => /take\s*8/.test(await bob.page.locator(".query-editor .view-lines").innerText()));
    assert.equal(await bob.page.getByLabel("Time range").inputValue(), "P7D");
    await bob.page.getByRole("button", { name: "Run" }).click();
    await bob.page.locator("table.rows").waitFor();
    await saved(bob.page).getByRole("button", { name: "Keep this query…" }).click();
    assert.equal(await saved(bob.page).getByLabel("Name").inputValue(), "", "one's own gets a name of one's own");
    await saved(bob.page).getByLabel("Name").fill("mine");
    await saved(bob.page).getByRole("button", { name: "Keep it", exact: true }).click();
    await saved(bob.page).locator("li", { hasText: "mine" }).getByRole("button", { name: "Remove" }).click();
    await saved(bob.page).getByRole("button", { name: "Remove “mine” for good?" }).click();
    await saved(bob.page).locator("li", { hasText: "mine" }).waitFor({ state: "detached" });
    await bob.context.close();
    assert.deepEqual(complaints, []);
    await context.close();

    const rita = await signedIn("rita", "/logs");
    await rita.page.getByText("This needs the role analyst").waitFor();
    assert.equal(await saved(rita.page).count(), 0);
    await rita.context.close();
  },

  async "assigns an alert, which its new owner finds among their own"() {
    const { context, page, complaints } = await signedIn("ann", `/alerts/${minerId}`);
    const drawer = page.getByRole("dialog");
    const whose = drawer.getByLabel("Assigned to");
    await until("the people are there", async () => (await whose.locator("option").count()) >= 3);
    assert.deepEqual(await whose.locator("option").allInnerTexts(), ["Nobody", "ann (you)", "bob"], "readers and the disabled are not offered");
    await whose.selectOption("bob");
    await drawer.getByText("Assigned to bob.").waitFor();
    await drawer.locator(".facts", { hasText: "assigned to bob" }).waitFor();
    await drawer.locator(".notes li", { hasText: /ann.*assigned to bob/s }).waitFor();
    await browser.picture(page, "alert-assigned");
    await accessible(page, "an assigned alert");
    await page.goto(`${origin}/alerts?whose=me`);
    await page.getByText("No alert is like this.").waitFor();
    const bob = await signedIn("bob", "/alerts?whose=me");
    await bob.page.locator("table.alerts tr", { hasText: /bob/ }).first().waitFor();
    await browser.picture(bob.page, "alerts-mine");
    await bob.page.getByLabel("Assigned to").selectOption("nobody");
    await until("those of nobody are others", async () => (await bob.page.locator("table.alerts tr", { hasText: "bob" }).count()) === 0);
    await bob.context.close();

    const other = await fetch(`${origin}/api/v1/alerts/${minerId}?hub=home`, {
      method: "PATCH", headers: { authorization: `Bearer ${server.profile.token}` }, body: JSON.stringify({ assignee: "gone" }) });
    assert.equal(other.status, 400, "who cannot sign in gets no alert");
    assert.match((await other.json()).error.message, /assignee.*gone/);
    await page.goto(`${origin}/alerts/${minerId}`);
    await drawer.getByLabel("Assigned to").selectOption("");
    await drawer.locator(".facts", { hasText: "assigned to" }).waitFor({ state: "detached" });
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "is accessible, light and dark, large and small"() {
    for (const [suffix, options] of [["", {}], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]]) {
      const { context, page } = await signedIn("ann", "/logs", options);
      await saved(page).locator("li", { hasText: "tar" }).waitFor();
      await page.locator(".query-editor .monaco-editor").waitFor();
      await saved(page).scrollIntoViewIfNeeded();
      await browser.judge(page, `logs-saved${suffix}`);
      await context.close();
    }
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
