// What a person sets, and takes back: columns of lists, how long rows are kept, what is expected, what a hub is attached to.
// Usage: node settings.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { processMessage, publish, runAll, Server, systemMessage, until } from "../integration/harness.mjs";
import { ask, launch } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const pump = await server.create("pump-3", "azureiotsecurity");
await server.create("valve-1");
await publish(server, pump, processMessage("ls"));
await publish(server, pump, systemMessage({ ExtraDetails: { HardwareModel: "Board <b>4</b>" } }));
await server.rows('SecurityIoTRawEvent | where RawEventName == "SystemInformation"', 1);
const at = (place, awaited, options = {}) => browser.signedIn(options, place, { awaited });
const looks = [["", {}], ["-dark", { colorScheme: "dark" }], ["-phone", { viewport: { width: 390, height: 844 } }], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]];

const failed = await runAll({
  async "chooses the columns of the inventory by keyboard and by dragging, and finds them again"() {
    const { page, complaints } = await at("/devices", "table tbody tr");
    const heads = () => page.getByRole("region", { name: "Inventory" }).locator("th").allInnerTexts();
    const usual = ["Device", "Connection", "Agent", "Last event", "Open alerts", "Recommendations"];
    assert.deepEqual(await heads(), usual);
    await page.getByRole("button", { name: "Columns", exact: true }).click();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    await page.getByRole("button", { name: "Move Agent to the left" }).focus();
    await page.keyboard.press("Enter");
    await until("the keyboard moved it", async () => (await heads())[1] === "Agent", 5);
    assert.equal(await focused(), "Move Agent to the left");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter"); // further than the end it does not go
    assert.deepEqual((await heads()).slice(0, 3), ["Agent", "Device", "Connection"]);
    assert.equal(await page.getByRole("status").filter({ hasText: "Agent is column 1 of 6" }).count(), 1);
    await page.getByRole("button", { name: "Leave out Recommendations" }).focus();
    await page.keyboard.press("Enter");
    await until("the keyboard is where it can be put back", async () => (await focused()) === "Show Recommendations", 5);
    assert.equal(await page.getByRole("button", { name: "Leave out Device" }).count(), 0);
    await page.getByRole("button", { name: "Show Device model" }).click();
    await page.locator("tr", { hasText: "pump-3" }).getByText("Board <b>4</b>").waitFor();
    await page.getByRole("button", { name: "Show OS distribution" }).click();
    await page.locator("tr", { hasText: "pump-3" }).getByText("Example Linux").waitFor();
    const chips = page.getByRole("list", { name: "Shown, from left to right" });
    await chips.getByRole("listitem").filter({ hasText: "Device model" }).dragTo(chips.getByRole("listitem").first());
    const chosen = ["Device model", "Agent", "Device", "Connection", "Last event", "Open alerts", "OS distribution"];
    await until("it was dragged", async () => (await heads()).join() === chosen.join(), 5);
    assert.equal(new URL(page.url()).searchParams.get("columns"), "model,agent,device,connection,last,alerts,osDistribution");

    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV" }).click();
    const lines = readFileSync(await (await waiting).path(), "utf8").trim().split("\r\n");
    assert.equal(lines[0], "DeviceModel,Agent,Device,Status,Connection,LastEvent,OpenAlerts,High,Medium,Low,OSDistribution");
    assert.match(lines[1], /^Board <b>4<\/b>,Reporting,pump-3,enabled,.*,Example Linux$/);

    await page.goto(`${origin}/devices`); // no columns in the address: those of before
    await until("the choice was kept", async () => (await heads()).join() === chosen.join(), 10);
    assert.match(page.url(), /columns=model/);
    await page.goto(`${origin}/devices?columns=device,created`); // a link says its own
    await until("the link's columns are shown", async () => (await heads()).join() === "Device,Registered", 10);
    await page.getByRole("button", { name: "Columns", exact: true }).click();
    await page.getByRole("button", { name: "Reset" }).click();
    await until("the usual ones are back", async () => (await heads()).join() === usual.join(), 5);
    assert.equal(new URL(page.url()).searchParams.get("columns"), null);
    await page.goto(`${origin}/devices`);
    await page.waitForSelector("table tbody tr");
    assert.deepEqual(await heads(), usual);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "chooses the columns of a query's answer, for the grid and its file"() {
    const { page } = await at("/logs", ".query-editor .monaco-editor");
    await ask(page, "print a = 1, b = 'two', c = 3");
    await page.locator("table.rows tbody tr").first().waitFor();
    await page.getByRole("button", { name: "Columns", exact: true }).click();
    await page.getByRole("button", { name: "Leave out b" }).click();
    await page.getByRole("button", { name: "Move c to the left" }).click();
    const heads = () => page.locator("table.rows th").allInnerTexts();
    assert.deepEqual(await heads(), ["c", "a"]);
    assert.deepEqual(await page.locator("table.rows td").allInnerTexts(), ["3", "1"]);
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV" }).click();
    assert.equal(readFileSync(await (await waiting).path(), "utf8"), "c,a\r\n3,1\r\n");
    await ask(page, "print d = 1");
    await until("other columns are not chosen among", async () => (await heads()).join() === "d", 10);
    await page.close();
  },

  async "keeps rows for other times, and says before what a shorter one deletes"() {
    const { page, complaints } = await at("/settings?tab=retention", "table.retention");
    const days = (table) => page.getByLabel(`Days that ${table} is kept`);
    assert.equal(await days("SecurityIoTRawEvent").inputValue(), "31");
    assert.match(await page.locator("table.retention tr", { hasText: "SecurityIoTRawEvent" }).innerText(), /What devices reported/);
    const save = page.getByRole("button", { name: "Save" });
    assert.equal(await save.isDisabled(), true);
    await days("SecurityAlert").fill("0");
    await page.getByText("from 1 to 3,650").waitFor();
    assert.equal(await save.isDisabled(), true);
    await days("SecurityAlert").fill("365");
    await save.click();
    await page.getByRole("status").filter({ hasText: "Saved." }).waitFor();
    const kept = async () => Object.fromEntries(JSON.parse(await server.request("GET", "/api/v1/hubs/home/retention")).tables.map((one) => [one.table, one.days]));
    assert.equal((await kept()).SecurityAlert, 365);
    await page.getByRole("button", { name: "usually 90 days: SecurityAlert" }).click();
    await days("SecurityIoTRawEvent").fill("7"); // shorter, but nothing is so old
    await save.click();
    await until("both are saved", async () => (await kept()).SecurityAlert === 90 && (await kept()).SecurityIoTRawEvent === 7, 10);

    // Nothing is old enough on a server of a minute: the answer of one that is older.
    await page.route("**/retention/preview", (route) => route.fulfill({ json: { tables: [{ table: "SecurityIoTRawEvent", days: 3, before: "2026-11-01T00:00:00Z", rows: 1204, bytes: 2_200_000 }] } }));
    await days("SecurityIoTRawEvent").fill("3");
    await save.click();
    const question = page.locator("[role=alert]", { hasText: "This deletes for good" });
    await question.getByText("1,204 rows of SecurityIoTRawEvent (2.1 MiB)").waitFor();
    await browser.judge(page, "retention-asks");
    await question.getByRole("button", { name: "Keep everything" }).click();
    assert.equal(await days("SecurityIoTRawEvent").inputValue(), "7");
    await days("SecurityIoTRawEvent").fill("3");
    await save.click();
    await question.getByRole("button", { name: "Delete and save" }).click();
    await page.getByText("Older rows are gone").waitFor();
    assert.equal((await kept()).SecurityIoTRawEvent, 3);
    assert.match(await server.cli("hub", "retention", "home"), /SecurityIoTRawEvent\s+3\s+31/);
    await server.rows('AzureActivity | where OperationNameValue has "retention" | where Properties has "7 to 3 days"', 1);
    assert.deepEqual(complaints, []);
    await page.close();

    const token = JSON.parse(await server.request("PUT", "/api/v1/tokens/looker", { role: "reader" })).token;
    const reader = await browser.signedIn({}, "/settings?tab=retention", { awaited: "table.retention", token });
    assert.equal(await reader.page.getByRole("spinbutton").count(), 0);
    assert.equal(await reader.page.getByRole("button", { name: "Save" }).count(), 0);
    await reader.page.close();
  },

  async "says what is expected of devices, until when, and takes it back"() {
    const { page, complaints } = await at("/profiles", "text=Nobody has said what is expected");
    await page.locator("summary", { hasText: "Say what is expected" }).click();
    await page.locator("label.filter", { has: page.getByText("What", { exact: true }) }).locator("select").selectOption("IoT_X_UnusualMetric");
    await page.getByLabel(/^Metric or cause/).fill("celsius");
    await page.getByLabel(/^Device, or camera/).fill("oven-*");
    await page.getByLabel("Why", { exact: true }).fill("cleaned <b>hot</b>");
    await page.getByRole("button", { name: "Add it" }).click();
    const row = page.locator("table.expectations tr", { hasText: "oven-*" });
    await row.waitFor();
    assert.match(await row.innerText(), /expected[^]*An unusual metric: celsius[^]*cleaned <b>hot<\/b>/);
    const { value } = JSON.parse(await server.request("GET", "/api/v1/settings/detection.settings"));
    const [line] = JSON.parse(value)["behaviour.expectations"];
    assert.deepEqual([line.verdict, line.hub, line.device, line.type, line.cause], ["expected", "home", "oven-*", "IoT_X_UnusualMetric", "celsius"]);
    await server.cli("expectations", "add", "unexpected", "--type", "IoT_X_RareLogin", "--until", "2099-01-01T00:00:00Z");
    await page.reload();
    await page.locator("table.expectations tr", { hasText: "A rare login" }).getByText("every hub").waitFor();
    await browser.judge(page, "expectations");
    await row.getByRole("button", { name: "Withdraw" }).click();
    await row.getByRole("button", { name: "Withdraw this line?" }).click();
    await row.waitFor({ state: "detached" });
    const listed = await server.cli("expectations", "list");
    assert.doesNotMatch(listed, /oven/);
    const id = /^([0-9a-f]{16})\s+unexpected/m.exec(listed)[1];
    await server.cli("expectations", "withdraw", id);
    assert.match(await server.cli("expectations", "list"), /Nobody has said/);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "attaches a hub to a broker: says that it cannot connect, then that it reads, and detaches it"() {
    // A broker as far as a subscriber needs one: it wants a password, and takes every subscription.
    const broker = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (data) => {
        if (data[0] === 0x10) {
          const welcome = data.includes(Buffer.from("open sesame"));
          socket.write(Buffer.from([0x20, 2, 0, welcome ? 0 : 5]));
          if (!welcome) socket.end();
        } else if (data[0] === 0x82) {
          socket.write(Buffer.from([0x90, 3, data[2], data[3], 1]));
        }
      });
    });
    await new Promise((resolve) => broker.listen(0, "127.0.0.1", resolve));
    const { page, complaints } = await at("/settings?tab=connectors", "text=This hub is attached to nothing");
    await page.locator("summary", { hasText: "Attach this hub" }).click();
    const attach = page.getByRole("button", { name: "Attach and try" });
    await page.getByLabel("Name", { exact: true }).fill("hall");
    await page.getByLabel("Connection string").fill("HostName=x;SharedAccessKey=hush");
    await attach.click();
    await page.locator("[role=alert]", { hasText: "Endpoint=sb://" }).waitFor(); // the server says what is wrong
    await page.getByLabel("Attached to").selectOption("mqtt");
    await page.getByLabel("Address").fill(`mqtt://127.0.0.1:${broker.address().port}`);
    await page.getByLabel("User; empty").fill("fieldwatch");
    await page.getByLabel("Password").fill("let me in");
    assert.equal(await attach.isDisabled(), true, "nothing would be read");
    await page.getByLabel(/^Topic 1/).fill("factory/{device}/data");
    await browser.judge(page, "connector-form");
    await attach.click();
    await page.locator("[role=alert]", { hasText: "hall is attached, and cannot read" }).getByText("does not let this user in").waitFor();
    await browser.judge(page, "connector-fails");
    await page.getByLabel("Password").fill("open sesame");
    await page.getByRole("button", { name: "Change and try again" }).click();
    await page.getByRole("status").filter({ hasText: "hall is connected, and reads." }).waitFor();
    await page.getByRole("region", { name: "Connectors" }).getByText("reading").waitFor();
    const shown = await server.request("GET", "/api/v1/hubs/home/connectors/hall");
    assert.match(shown, /factory\/\{device\}\/data/);
    assert.doesNotMatch(shown, /sesame/);
    assert.doesNotMatch(await page.content(), /sesame/);
    await page.getByLabel("Name", { exact: true }).fill("hall");
    await page.getByText("There is a connector of this name already").waitFor();
    await page.getByRole("button", { name: "Detach" }).click();
    await page.getByRole("button", { name: "Detach hall?" }).click();
    await page.getByText("This hub is attached to nothing").waitFor();
    assert.deepEqual(complaints.filter((one) => !/400/.test(one)), []);
    await page.close();
    broker.close();
  },

  async "is accessible, light and dark, large and small, and as wide as its window"() {
    await server.request("POST", "/api/v1/expectations", { verdict: "unexpected", type: "IoT_X_RareLogin", device: "pump-*", until: "2099-01-01T00:00:00Z", note: "nobody logs in there at night" });
    for (const [suffix, options] of looks) {
      const { page } = await at("/devices?columns=device,model,agent,osDistribution,lastInformation", "table tbody tr", options);
      await page.getByRole("button", { name: "Columns", exact: true }).click();
      await page.getByText("Example Linux").waitFor();
      await browser.judge(page, `columns${suffix}`);
      await page.goto(`${origin}/settings?tab=retention`);
      await page.waitForSelector("table.retention");
      await browser.judge(page, `retention${suffix}`);
      await page.goto(`${origin}/settings?tab=connectors`);
      await page.locator("summary", { hasText: "Attach this hub" }).click();
      await browser.judge(page, `connector-event-hub${suffix}`);
      await page.getByLabel("Attached to").selectOption("mqtt");
      await browser.judge(page, `connector-broker${suffix}`);
      await page.getByLabel("Attached to").selectOption("event-hubs");
      await page.goto(`${origin}/profiles`);
      await page.locator("summary", { hasText: "Say what is expected" }).click();
      await page.locator("table.expectations").waitFor();
      await browser.judge(page, `expectations${suffix}`);
      await page.close();
    }
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
