// What a person sets up: a second factor, receivers of findings, scheduled rules, routes; what others changed meanwhile; vulnerabilities and risk.
// Usage: node operations.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { accessible, launch, write } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const pump = await server.create("pump-3", "azureiotsecurity");
await publish(server, pump, processMessage("cpuminer-multi <img src=x onerror=alert(1)>"));
await publish(server, pump, processMessage("history -c"));
await server.rows('SecurityAlert | where AlertType in ("IoT_CryptoMiner", "IoT_ClearHistoryFile") | distinct SystemAlertId', 2);
const at = (place, awaited, options = {}) => browser.signedIn(options, place, { awaited });
const rules = "/api/v1/hubs/home/scheduled-rules";
const query = "SecurityIoTRawEvent\n| where RawEventName == \"ProcessCreate\"\n| project DeviceId";

/** RFC 6238, as an authenticator does it. */
function totp(secret, time = Date.now()) {
  const bits = [...secret].map((one) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(one).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(time / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const failed = await runAll({
  async "sets up a second factor, signs in with it and with a recovery code, and loses it to an administrator"() {
    const password = "correct-horse-7";
    await server.request("PUT", "/api/v1/users/ann", { role: "administrator", password });
    const context = await browser.browser.newContext({ viewport: { width: 1360, height: 1000 } });
    const page = await context.newPage();
    const signIn = async (code) => {
      await page.getByLabel("User name").fill("ann");
      await page.getByLabel("Password").fill(password);
      await page.keyboard.press("Enter");
      if (code === undefined) return;
      await page.getByLabel(/^Code of your authenticator/).fill(code);
      await page.keyboard.press("Enter");
    };
    await page.goto(`${origin}/account`);
    await signIn();
    await page.getByLabel("Your password").fill("not the password");
    await page.getByRole("button", { name: "Set it up" }).click();
    await page.locator("[role=alert]", { hasText: "do not fit together" }).waitFor();
    await page.getByLabel("Your password").fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("img", { name: /QR code/ }).waitFor();
    const secret = await page.getByLabel("Secret", { exact: true }).inputValue();
    await browser.picture(page, "second-factor");
    await accessible(page, "second-factor");
    await page.getByLabel("Code", { exact: true }).fill("000000");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.locator("[role=alert]", { hasText: "authenticator's clock" }).waitFor();
    await page.getByLabel("Code", { exact: true }).fill(totp(secret));
    await page.keyboard.press("Enter");
    const list = page.getByRole("list", { name: "Recovery codes" });
    await list.waitFor();
    const codes = await list.getByRole("listitem").allInnerTexts();
    assert.equal(new Set(codes).size, 10);
    await browser.picture(page, "recovery-codes");
    await accessible(page, "recovery-codes");
    let asked = 0;
    page.once("dialog", (dialog) => { asked += 1; void dialog.dismiss(); });
    await page.getByRole("link", { name: "Overview" }).click();
    assert.equal(asked, 1, "leaving the codes asks");
    await page.getByRole("button", { name: "I have them" }).click();
    await page.getByText("10 recovery codes are left").waitFor();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await signIn(codes[0]);
    await page.getByText("9 recovery codes are left").waitFor();
    await page.goto(`${origin}/users`);
    await page.locator("table.users tr", { hasText: /ann.*on/s }).waitFor();
    await page.goto(`${origin}/users/ann`);
    await page.getByRole("button", { name: "Take it away" }).click();
    await page.getByRole("button", { name: "Take the second factor of ann away?" }).click();
    await page.getByText("signs in with the password alone").waitFor();
    await context.close();
  },

  async "adds a receiver of findings, sends it a test, and sees it fail"() {
    const taken = [];
    let answer = 200;
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part)).on("end", () => {
        taken.push({ body, signature: request.headers["x-fieldwatch-signature"] });
        response.writeHead(answer).end();
      });
    });
    await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { page, complaints } = await at("/exports", "text=Nothing leaves this server yet");
    await page.getByLabel("Name").fill("soc");
    await page.getByLabel(/^Receiver/).fill(`http://127.0.0.1:${receiver.address().port}/hook`);
    const form = page.locator("label.filter", { has: page.getByText("Form", { exact: true }) }).locator("select");
    assert.deepEqual(await form.locator("option").allInnerTexts(), ["JSON", "OCSF", "STIX 2.1"]);
    await form.selectOption("ocsf");
    await page.getByRole("button", { name: "Add the receiver" }).click();
    assert.match(await page.getByLabel("Secret", { exact: true }).inputValue(), /^[0-9a-f]{32,}$/);
    await accessible(page, "export-made");
    await page.getByRole("button", { name: "I have it" }).click();
    await page.getByRole("link", { name: "soc" }).click();
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.getByText("The test finding was taken.").waitFor();
    assert.match(taken[0].body, /class_uid/);
    assert.match(taken[0].signature, /^v1=/);
    answer = 503;
    await page.getByRole("button", { name: "Send a test" }).click();
    await page.locator("[role=alert]", { hasText: "The test was not taken" }).waitFor();
    await page.getByLabel("From severity").selectOption("High");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved. It holds from the next finding on.").waitFor();
    assert.match(await server.request("GET", "/api/v1/exports/soc"), /"minimumSeverity":"High"/);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: /^Remove soc\?/ }).click();
    await page.getByText("Nothing leaves this server yet").waitFor();
    assert.deepEqual(complaints, []);
    receiver.close();
    await page.close();
  },

  async "writes a scheduled rule: a wrong query is shown where it is wrong, a right one previewed, saved, and runs"() {
    const { page } = await at("/scheduled-rules", "text=No query runs by itself");
    await page.getByRole("link", { name: "Write a scheduled rule" }).click();
    await page.getByLabel(/^Id/).fill("busy_device");
    await page.getByLabel("Name of its alerts").fill("A busy device <b>x</b>");
    await write(page, "SecurityIoTRawEvent\n| where NoSuchColumn == 1");
    await page.getByRole("button", { name: "Not by ip" }).click();
    await page.getByLabel("device is in the column").fill("DeviceId");
    await page.getByRole("button", { name: "Check and preview" }).click();
    await page.locator("[role=alert]", { hasText: /line 2.*NoSuchColumn/s }).waitFor();
    await write(page, query);
    await page.getByLabel("Asks every").selectOption("PT1M");
    await page.getByLabel("Over the last").selectOption("P1D");
    await page.getByLabel("Alert above this many rows").fill("0");
    await until("the preview has the device", async () => {
      await page.getByRole("button", { name: "Check and preview" }).click();
      await page.getByText(/^It would raise/).waitFor();
      return (await page.locator("table.trial tr", { hasText: "pump-3" }).count()) > 0;
    }, 90);
    assert.match(await server.request("GET", rules), /"value":\[\]/, "a preview was kept");
    await browser.picture(page, "scheduled-edit");
    await accessible(page, "scheduled-edit");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: "Runs" }).click();
    assert.match(page.url(), /\/scheduled-rules\/busy_device\?tab=runs/);
    await page.getByRole("button", { name: "Ask now" }).click();
    await page.getByText(/^It would raise/).waitFor();
    await until("it ran", async () => {
      await page.reload();
      await page.getByRole("button", { name: "Ask now" }).waitFor();
      await page.waitForTimeout(500);
      return (await page.getByRole("region", { name: "Runs" }).locator("tbody tr").count()) > 0;
    }, 120);
    await page.getByRole("link", { name: "Rule", exact: true }).click();
    await page.getByRole("link", { name: "its alerts" }).click();
    await until("its alert is listed", async () => {
      await page.reload();
      await page.waitForTimeout(700);
      return (await page.locator("table.alerts tr", { hasText: "A busy device <b>x</b>" }).count()) > 0;
    }, 60);
    await page.close();
  },

  async "tells of somebody else's change of a scheduled rule, and lets one choose"() {
    const { page } = await at("/scheduled-rules/busy_device?tab=edit", ".query-editor .monaco-editor");
    const stored = JSON.parse(await server.request("GET", `${rules}/busy_device`));
    const changed = Object.fromEntries(["query", "period", "window", "suppression", "lateness", "threshold", "entities", "enabled", "severity"].map((name) => [name, stored[name]]));
    await server.request("PUT", `${rules}/busy_device`, { ...changed, name: "Theirs" });
    await page.getByLabel("Name of its alerts").fill("Mine");
    await page.getByRole("button", { name: "Save" }).click();
    const conflict = page.locator("[role=alert]", { hasText: "saved version 2 meanwhile" });
    await conflict.waitFor();
    assert.match(await conflict.locator(".removed").first().innerText(), /Theirs/);
    assert.match(await conflict.locator(".added").first().innerText(), /Mine/);
    await accessible(page, "conflict");
    await browser.picture(page, "conflict");
    assert.match(await server.request("GET", `${rules}/busy_device`), /"name":"Theirs"/);
    await page.getByRole("button", { name: "Put mine over theirs" }).click();
    await page.getByText("Saved. It asks from its next window on.").waitFor();
    await page.getByRole("link", { name: "Versions" }).click();
    await page.locator("summary", { hasText: "Version 3" }).waitFor();
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove busy_device?" }).click();
    await page.getByText("No query runs by itself").waitFor();
    await page.close();
  },

  async "tells of somebody else's rule set before it puts one's own in force"() {
    const rule = (id, title) => `title: ${title}\nid: ${id}\nstatus: experimental\nlogsource:\n  product: linux\n  category: process_creation\ndetection:\n  s:\n    CommandLine|contains: 'zz-${id.slice(-2)}'\n  condition: s\nlevel: low\n`;
    const [one, other] = ["3f1f2b0e-3e86-4a53-9c28-0d7d1f7ad001", "3f1f2b0e-3e86-4a53-9c28-0d7d1f7ad002"];
    const apply = (files) => server.request("POST", "/api/v1/rules/apply", { files });
    await apply([{ name: "own/one.yml", text: rule(one, "First") }]);
    const { page } = await at(`/rules/${one}?tab=edit`, "textarea.code");
    const text = page.getByLabel("Rules in Sigma");
    await text.fill(rule(one, "Mine"));
    // another file of another person is no conflict, and is not lost
    await apply([{ name: "own/one.yml", text: rule(one, "First") }, { name: "own/other.yml", text: rule(other, "Other") }]);
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByText("Applied. It is in force.").waitFor();
    assert.match(await server.request("GET", `/api/v1/rules/${other}`), /Other/);
    await apply([{ name: "own/one.yml", text: rule(one, "Theirs") }, { name: "own/other.yml", text: rule(other, "Other") }]);
    await text.fill(rule(one, "Mine again"));
    await page.getByRole("button", { name: "Apply" }).click();
    await page.locator("[role=alert]", { hasText: /in force meanwhile/ }).waitFor();
    assert.match(await server.request("GET", `/api/v1/rules/${one}`), /Theirs/);
    await page.getByRole("button", { name: "Take theirs" }).click();
    assert.match(await text.inputValue(), /Theirs/);
    // what the server itself refuses: made from an older version
    const refused = await fetch(`${server.profile.server}/api/v1/rules/apply`, { method: "POST", headers: { authorization: `Bearer ${server.profile.token}`, "if-match": '"1"' }, body: JSON.stringify({ files: [{ name: "own/one.yml", text: rule(one, "Old") }] }) });
    assert.equal(refused.status, 412);
    await page.close();
  },

  async "leads messages to an endpoint by a route, switches it off, and takes both away"() {
    const { page, complaints } = await at("/settings?tab=routes", "text=everything is at");
    await page.locator("summary", { hasText: "Add an endpoint" }).click();
    await page.getByLabel("Name", { exact: true }).fill("archive");
    await page.getByLabel("Kind").selectOption("file");
    await page.getByRole("button", { name: "Add the endpoint" }).click();
    await page.locator("table.endpoints", { hasText: "archive" }).waitFor();
    await page.getByRole("button", { name: "Add a route" }).click();
    await page.getByLabel("Name", { exact: true }).first().fill("hot");
    await page.getByLabel(/^Where this holds/).fill("$body.temp >");
    await page.getByRole("checkbox", { name: "archive" }).check();
    await page.getByRole("button", { name: "Add the route" }).click();
    await page.locator("[role=alert]").first().waitFor(); // no condition
    await page.getByLabel(/^Where this holds/).fill("$body.temp > 30");
    await page.getByRole("button", { name: "Add the route" }).click();
    await page.getByText("hot is there.").waitFor();
    await page.getByRole("switch", { name: "hot" }).click();
    await page.getByText("hot is off.").waitFor();
    const { routing } = JSON.parse(await server.request("GET", "/api/v1/hubs/home")).configuration;
    assert.equal(routing.routes.hot.enabled, false);
    assert.equal(routing.routes.hot.condition, "$body.temp > 30");
    await accessible(page, "routes");
    await browser.picture(page, "routes");
    await page.locator(".rule", { hasText: "hot" }).getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove hot?" }).click();
    await page.getByText("hot is removed.").waitFor();
    await page.locator("table.endpoints").getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: /^Remove archive\?/ }).click();
    await page.getByText("None but the built-in one.").waitFor();
    assert.deepEqual(complaints.filter((one) => !/\b400\b/.test(one)), []);
    await page.close();
  },

  async "says what a device's risk is made of, and what mending some of it buys"() {
    const { page, complaints } = await at("/devices/pump-3?tab=risk", "table.points tbody tr");
    const number = async (place) => Number(await place.innerText());
    const risk = await number(page.locator(".risk .number"));
    const points = (await page.locator("table.points tbody td.number:nth-child(2)").allInnerTexts()).map(Number);
    assert.ok(Math.abs(points.reduce((sum, one) => sum + one, 0) - risk) < 1, `${points} do not add up to ${risk}`);
    await page.locator("table.points input[type=checkbox]").first().check();
    const without = await page.locator("strong[role=status]").innerText();
    assert.ok(parseInt(without, 10) < risk, `${without}, of ${risk}`);
    await accessible(page, "risk");
    await browser.picture(page, "risk");
    await page.locator("table.points a").first().click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "tells which devices have a vulnerability, once advisories and an inventory are there"() {
    const { page } = await at("/vulnerabilities", "text=None is there, so nothing can be matched");
    await browser.picture(page, "vulnerabilities-empty");
    await accessible(page, "vulnerabilities-empty");
    const advisory = { id: "CVE-2024-0001", modified: "2024-01-01T00:00:00Z", affected: [{ package: { ecosystem: "Debian:12", name: "dropbear" }, ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "2022.84-1" }] }] }] };
    await page.getByLabel("File", { exact: true }).setInputFiles({ name: "osv.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(advisory)) });
    await page.getByRole("button", { name: "Import" }).click();
    await page.locator("table.advisories tr", { hasText: "osv.json" }).waitFor();
    await page.goto(`${origin}/vulnerabilities/CVE-2024-0001`);
    await page.locator("table", { hasText: "dropbear" }).waitFor();
    await page.getByText("No device of home has a component").waitFor();
    await page.close();
  },

  async "is accessible, light and dark, large and small, and as wide as its window"() {
    await server.request("PUT", `${rules}/looked_at`, { query, threshold: 0, entities: { device: "DeviceId" } });
    await server.request("PUT", "/api/v1/exports/archive", { to: "file" });
    const places = [["exports", "/exports", "table.exports"], ["export", "/exports/archive", ".properties"], ["scheduled", "/scheduled-rules", "table.scheduled"], ["scheduled-rule", "/scheduled-rules/looked_at", ".properties"],
      ["scheduled-runs", "/scheduled-rules/looked_at?tab=runs", "text=Ask now"], ["scheduled-versions", "/scheduled-rules/looked_at?tab=versions", "summary"], ["timeline", "/devices/pump-3?tab=timeline", "ol.timeline"],
      ["vulnerabilities", "/vulnerabilities", "table.advisories"], ["routes-empty", "/settings?tab=routes", "text=None but the built-in one"], ["intelligence", "/intelligence", "text=Add a feed"]];
    const looks = [["", {}], ["-dark", { colorScheme: "dark" }], ["-phone", { viewport: { width: 390, height: 844 } }], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]];
    for (const [suffix, options] of looks) {
      const { page } = await at("/", ".rail", options);
      for (const [name, place, awaited] of places) {
        await page.goto(origin + place);
        await page.waitForSelector(awaited);
        await browser.judge(page, `${name}${suffix}`);
      }
      await page.close();
    }
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
