// Places where a person decides: custom alerts, intelligence, settings, rules, what is said of an alert; and how the server is doing.
// Usage: node places.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connectionMessage, droppedMessage, processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { accessible, launch, write } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const pump = await server.create("pump-3", "azureiotsecurity");
const dotted = "pump.4";
await server.create(dotted, "azureiotsecurity");
await publish(server, pump, processMessage("sshd: operator", { ProcessId: 40, ParentProcessId: 1 }));
await publish(server, pump, processMessage("bash -l", { ProcessId: 41, ParentProcessId: 40 }));
await publish(server, pump, processMessage("uptime", { ProcessId: 42, ParentProcessId: 41 }));
await publish(server, pump, processMessage("cpuminer-multi <b>x</b>", { ProcessId: 43, ParentProcessId: 41 }));
await publish(server, pump, droppedMessage("Low", 200, 50));
for (const Sequence of [1, 2, 5]) // 3 and 4 are missing
  await publish(server, pump, processMessage("true", { ProcessId: 0, ExtraDetails: { BootId: "5f0c", Sequence: String(Sequence) } }));
await publish(server, pump, { nonsense: true }); // a message that does not conform
const [[minerId]] = await server.rows('SecurityAlert | where AlertType == "IoT_CryptoMiner" | distinct SystemAlertId');
const at = (place, awaited, more) => browser.signedIn({}, place, { awaited, ...more });
const reader = JSON.parse(await server.request("PUT", "/api/v1/tokens/reader", { role: "reader" })).token;
const alertsOf = (type) => server.query(`SecurityAlert | where AlertType == "${type}" | distinct SystemAlertId`);

const failed = await runAll({
  async "sets up a custom alert for a group, by keyboard, and it acts within seconds"() {
    await server.request("PATCH", "/api/v1/hubs/home/devices/pump-3/twin", { tags: { SecurityGroup: "pumps" } });
    const { page, complaints } = await at("/", ".rail");
    await page.getByRole("link", { name: "Custom alerts" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "default" }).waitFor();
    await page.getByLabel("A new group").fill("pumps");
    await page.keyboard.press("Enter");
    await page.getByLabel("Add a custom alert").selectOption({ label: "Execution of a process that isn't allowed" });
    assert.match(page.url(), /\/custom-alerts\/pumps$/);
    await page.getByLabel(/^Allowed/).fill("busybox\nuptime");
    await page.getByLabel("Add a custom alert").selectOption({ label: "Number of device to cloud messages (MQTT protocol) is not in allowed range" });
    await page.getByLabel("At least").fill("9");
    await page.getByLabel("At most").fill("3");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[role=alert]", { hasText: /minThreshold|at most|threshold/i }).waitFor();
    await page.getByLabel("At least").fill("0");
    await page.getByLabel("At most").fill("5000");
    await page.getByLabel("In each").selectOption("PT1H");
    await page.getByRole("button", { name: "Save" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("It acts within seconds").waitFor();
    const began = performance.now();
    await until("a process that is not allowed is an alert", async () => {
      await publish(server, pump, processMessage("ls -l", { Executable: "/bin/ls" }));
      return (await alertsOf("IoT_CA_ProcessNotAllowed")).length > 0;
    }, 120);
    console.log(`     acted within ${Math.round(performance.now() - began)} ms`);
    await page.reload();
    assert.equal(await page.getByLabel(/^Allowed/).inputValue(), "busybox\nuptime");
    assert.equal(await page.getByLabel("In each").inputValue(), "PT1H");
    // what is not saved is asked about
    await page.getByLabel("At most").fill("7");
    page.once("dialog", (dialog) => void dialog.dismiss());
    await page.getByRole("link", { name: "Devices", exact: true }).click();
    assert.match(page.url(), /custom-alerts\/pumps$/);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal(await page.getByLabel("At most").inputValue(), "5000");
    await page.getByRole("button", { name: "Take out: Number of device to cloud messages (MQTT protocol)" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("It acts within seconds").waitFor();
    await page.getByRole("link", { name: "Custom alerts" }).first().click();
    await page.getByText("allows busybox, uptime").waitFor();
    assert.equal(await page.getByText("in 1 hour").count(), 0);
    assert.deepEqual(complaints.filter((one) => !one.includes("400")), []);
    await page.close();
  },

  async "imports indicators, looks one up, removes the file"() {
    const { page, complaints } = await at("/intelligence", "text=No file has been imported.");
    const text = ["# a list <script>alert(1)</script>", ...Array.from({ length: 30 }, (_, i) => `198.51.100.${i + 1}`), "not an indicator at all"].join("\n");
    await page.getByLabel("File").setInputFiles({ name: "feed.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByText("It acts within seconds").waitFor();
    await page.getByRole("cell", { name: "feed.txt" }).waitFor({ timeout: 60_000 });
    await page.getByText("30 indicators are in force").waitFor();
    await page.getByLabel("An address, name, URL or hash").fill("198.51.100.7");
    await page.keyboard.press("Enter");
    await page.locator(".properties", { hasText: "198.51.100.7" }).waitFor();
    assert.match(page.url(), /value=198\.51\.100\.7/);
    await page.getByLabel("An address, name, URL or hash").fill("198.51.100.99");
    await page.getByRole("button", { name: "Look up" }).click();
    await page.getByText("No indicator names").waitFor();
    await page.getByLabel("File").setInputFiles({ name: "feed.txt", mimeType: "text/plain", buffer: Buffer.from("198.51.100.1\n") });
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByRole("button", { name: "Import all the same" }).waitFor(); // it lost more than half
    assert.match(await page.locator("[role=alert]").first().innerText(), /half|shr/i);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove feed.txt?" }).click();
    await page.getByText("No file has been imported.").waitFor({ timeout: 60_000 });
    assert.deepEqual(complaints.filter((one) => !one.includes("412")), []);
    await page.close();
  },

  async "changes a hub's settings and shows no key"() {
    const { page, complaints } = await at("/settings", "text=Raw events");
    const security = page.getByRole("switch", { name: "Security" });
    await security.focus();
    await page.keyboard.press("Space");
    await page.getByText("Security is off.").waitFor();
    assert.equal(JSON.parse(await server.request("GET", "/api/v1/hubs/home")).securityEnabled, false);
    await security.click();
    await page.getByText("Security is on.").waitFor();
    await page.getByRole("link", { name: "Network" }).click();
    await page.getByRole("button", { name: "Add a rule" }).click();
    await page.getByLabel("Name").fill("plant");
    await page.getByLabel("Addresses", { exact: true }).fill("nowhere");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[role=alert]", { hasText: "needs an action" }).waitFor();
    await page.getByLabel("Addresses", { exact: true }).fill("127.0.0.0/8");
    await page.getByRole("button", { name: "Add a rule" }).click();
    await page.getByLabel("Name").nth(1).fill("rest");
    await page.getByLabel("Action").nth(1).selectOption("Reject");
    await page.getByLabel("Addresses", { exact: true }).nth(1).fill("192.0.2.0/24");
    await page.getByRole("button", { name: "Move rule 2 up" }).click();
    await page.getByLabel("Least TLS version").selectOption("1.3");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("It holds for new connections.").waitFor();
    const { configuration } = JSON.parse(await server.request("GET", "/api/v1/hubs/home"));
    assert.deepEqual(configuration.ipFilterRules.map((rule) => [rule.filterName, rule.action]), [["rest", "Reject"], ["plant", "Accept"]]);
    assert.equal(configuration.minTlsVersion, "1.3");
    await page.getByRole("link", { name: "Diagnostics" }).click();
    await page.getByLabel("Connections").check();
    await page.getByLabel("TwinQueries").check();
    await page.getByLabel("DeviceTelemetry").check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The records go to the workspace").waitFor();
    await until("the recommendation about diagnostics is resolved", async () => {
      const [[state]] = await server.query('SecurityRecommendation | where RecommendationId in ((SecurityRecommendation | where RecommendationDisplayName has "diagnostics" | project RecommendationId)) | top 1 by TimeGenerated desc | project RecommendationState');
      return state === "Resolved";
    }, 90);
    await page.getByRole("link", { name: "Shared policies" }).click();
    await page.getByRole("cell", { name: "iothubowner" }).waitFor();
    await page.getByRole("link", { name: "Enrollments" }).click();
    await page.getByText("Nobody is enrolled.").waitFor();
    await server.cli("enrollment", "create", "line-a", "--group");
    await page.reload();
    await page.getByRole("cell", { name: "line-a" }).waitFor();
    assert.match(page.url(), /tab=enrollments/);
    const enrolled = JSON.parse(await server.cli("enrollment", "show", "line-a", "--group", "--format", "json"));
    const shown = await page.content();
    for (const key of Object.values(enrolled.attestation.symmetricKey)) assert.ok(!shown.includes(key), "a key is on the page");
    await server.cli("hub", "update", "home", "--tls-minimum", "1.2", "--ip-filter", "none");
    assert.deepEqual(complaints.filter((one) => !one.includes("400")), []);
    await page.close();
  },

  async "says how the server is doing"() {
    const { page, complaints } = await at("/health", "text=From the log to the tables");
    await page.getByText("Ready", { exact: true }).waitFor();
    assert.equal(await page.locator("section", { hasText: "From the log" }).locator("tbody tr").count(), 4);
    await page.locator(".letters td", { hasText: "pump-3" }).first().waitFor();
    await page.locator(".counters tr.loss", { hasText: "dead letters" }).waitFor();
    await page.locator(".ledger tr.loss", { hasText: "Messages that did not conform" }).waitFor();
    await page.locator(".ledger", { hasText: "Telemetry given up early" }).waitFor();
    await page.locator(".dropped tr.loss", { hasText: /pump-3.*Low.*200.*50.*25 %/s }).waitFor();
    await page.locator(".missing tr.loss", { hasText: /pump-3.*2/s }).waitFor();
    await browser.picture(page, "health-losses");
    await page.getByLabel("Show").selectOption("all");
    await page.getByRole("searchbox", { name: "Name" }).fill("journal");
    await page.getByRole("cell", { name: "records made durable" }).waitFor();
    await page.reload();
    assert.equal(await page.getByRole("searchbox", { name: "Name" }).inputValue(), "journal");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows who started the process of an alert, what happened around it, and takes a decision with its reason"() {
    const { page, complaints } = await at(`/alerts/${minerId}`, "dialog.drawer pre.command");
    const drawer = page.locator("dialog.drawer");
    await drawer.locator(".process.meant").waitFor();
    const commands = await drawer.locator(".process code").allInnerTexts();
    assert.deepEqual(commands, ["sshd: operator", "bash -l", "cpuminer-multi <b>x</b>"]);
    await drawer.getByText("Its events from five minutes before").click();
    await drawer.locator("table.rows tbody tr").nth(3).waitFor();
    await drawer.getByText("Other alerts of this device").click();
    await drawer.getByRole("button", { name: "Custom alert - a process was executed" }).waitFor();
    await drawer.getByRole("button", { name: "In progress" }).click();
    await drawer.locator(".facts", { hasText: "InProgress" }).waitFor();
    await drawer.getByLabel("Comment").fill("our own <i>benchmark</i>");
    await drawer.getByRole("button", { name: "Comment", exact: true }).click();
    await drawer.locator(".notes .comment", { hasText: "our own <i>benchmark</i>" }).waitFor();
    await drawer.getByRole("button", { name: "Dismiss…" }).click();
    assert.ok(await drawer.getByRole("button", { name: "Dismiss for good" }).isDisabled());
    await drawer.getByLabel("Reason").selectOption("Expected here");
    await drawer.getByRole("button", { name: "Dismiss for good" }).click();
    await drawer.locator(".notes .chip", { hasText: "Expected here" }).waitFor();
    await drawer.locator(".facts", { hasText: "Dismissed" }).waitFor();
    await drawer.getByRole("button", { name: "Not useful" }).click();
    await drawer.locator(".notes .chip", { hasText: "not useful" }).waitFor();
    assert.equal(await drawer.getByRole("button", { name: "Dismiss…" }).count(), 0);
    assert.deepEqual(complaints, []);
    await page.close();
    const [[notes]] = await server.query(`SecurityAlert | where SystemAlertId == "${minerId}" | top 1 by TimeGenerated desc | project tostring(parse_json(ExtendedProperties).Notes[1].Reason)`);
    assert.equal(notes, "Expected here");
  },

  async "lists rules, and takes one from its first line to its first alert, and back"() {
    const { page, complaints } = await at("/rules", ".rules-table tbody tr");
    await page.getByRole("searchbox", { name: "Name, id, technique" }).fill("coin miner image");
    await until("only rules of miners are listed", async () => (await page.locator(".rules-table tbody tr").count()) < 5, 20);
    await page.locator(".rules-table a").first().click();
    await page.locator("pre.source", { hasText: "detection:" }).waitFor();
    await page.locator(".properties div", { hasText: "Author" }).first().waitFor();
    await page.getByRole("link", { name: "Rules" }).first().click();
    await page.getByRole("link", { name: "Write a rule" }).click();
    const text = page.getByLabel("Rules in Sigma");
    await page.getByLabel("File").fill("own/thermostat.yml");
    const good = (await text.inputValue()).replaceAll("suspicious-word", "thermostat-9").replace("What it finds", "Thermostat tool");
    await text.fill(good.replace("|contains:", "|containz:"));
    await page.getByRole("button", { name: "Check and test" }).click();
    await page.locator(".failures", { hasText: "containz" }).waitFor();
    await text.fill(good);
    await text.press("Control+Enter");
    await page.getByText("1 of 1 rule compiles, 1 with samples, all of which say what they should.").waitFor();
    await page.getByRole("button", { name: "What would change" }).click();
    await page.locator(".note p", { hasText: "Thermostat tool" }).waitFor();
    await page.getByRole("button", { name: "Backtest" }).click();
    await page.getByText(/events of .* to .* in/).waitFor();
    await browser.picture(page, "backtest");
    await page.getByLabel("Note").fill("for hall b");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByText("Applied. It is in force.").waitFor({ timeout: 60_000 });
    await until("the rule of one's own is an alert", async () => {
      await publish(server, pump, processMessage("sh -c thermostat-9"));
      return (await server.query('SecurityAlert | where DisplayName == "Thermostat tool" | take 1')).length > 0;
    }, 60);
    await page.getByRole("link", { name: "Rules" }).first().click();
    // a new file with the id, or the name, of what is in force already
    await page.getByRole("link", { name: "Write a rule" }).click();
    await page.getByLabel("File").fill("own/other.yml");
    await text.fill(good.replace("Thermostat tool", "Another tool"));
    await page.getByRole("button", { name: "Apply" }).click();
    await page.locator("[role=alert]", { hasText: /same id.*Thermostat tool/s }).waitFor();
    await page.getByRole("button", { name: "Go on editing" }).click();
    await page.getByLabel("File").fill("own/thermostat.yml");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.locator("[role=alert]", { hasText: "There is a file own/thermostat.yml already" }).waitFor();
    assert.equal((await server.request("GET", "/api/v1/rules")).includes("Another tool"), false);
    let asked = 0;
    page.once("dialog", (dialog) => { asked += 1; void dialog.accept(); });
    await page.getByRole("link", { name: "Rules" }).first().click();
    assert.equal(asked, 1, "leaving asks");
    await page.getByLabel("From").selectOption("applied");
    await page.locator(".rules-table", { hasText: "Thermostat tool" }).waitFor();
    await page.locator(".versions li", { hasText: "for hall b" }).waitFor();
    const pack = page.locator(".versions li", { hasText: "The pack" });
    await pack.getByRole("button", { name: "Go back to it" }).click();
    await pack.getByRole("button", { name: "Go back to the pack?" }).click();
    await page.getByText("The set of version 0 is in force again.").waitFor({ timeout: 60_000 });
    await page.getByText("No rule is like this.").waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "completes tables, columns and operators while a query is written"() {
    const { page, complaints, hosts } = await at("/logs", ".query-editor .monaco-editor");
    const words = page.locator(".suggest-widget .monaco-list-row");
    await write(page, "");
    await page.keyboard.type("SecurityI");
    await words.filter({ hasText: "SecurityIoTRawEvent" }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type(" | wh");
    await words.filter({ hasText: "where" }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type(" RawEventN");
    await words.filter({ hasText: "RawEventName" }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type(' == "ProcessCreate"');
    await page.keyboard.press("Control+Enter");
    await page.locator("table.rows tbody tr").nth(3).waitFor();
    assert.equal(new URL(page.url()).searchParams.get("query"), 'SecurityIoTRawEvent | where RawEventName == "ProcessCreate"');
    await page.keyboard.type("\n| order by TimeSt");
    await words.filter({ hasText: "TimeStamp" }).first().waitFor();
    await browser.picture(page, "hunting");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab"); // the editor lets the keyboard go
    assert.equal(await page.evaluate(() => document.activeElement?.closest(".query-editor") === null), true);
    assert.deepEqual([...hosts], [new URL(origin).host]);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows every table of a query that gives several"() {
    const { page, complaints } = await at("/logs", ".query-editor .monaco-editor");
    await write(page, "SecurityIoTRawEvent | fork all = (count) (summarize n = count() by RawEventName) none = (where DeviceId == 'nobody')");
    await page.keyboard.press("Control+Enter");
    const names = page.locator("main section h2").filter({ hasText: /row/ });
    await names.nth(2).waitFor();
    assert.deepEqual((await names.allInnerTexts()).map((text) => text.split(/\s/)[0]), ["all", "fork_2", "none"]);
    const second = page.getByRole("region", { name: "fork_2" });
    await second.getByRole("columnheader", { name: "RawEventName" }).waitFor();
    await second.locator("tbody tr", { hasText: "ProcessCreate" }).waitFor();
    await page.getByRole("region", { name: "none" }).getByText("No row in this time range.").waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV of fork_2" }).click()]);
    assert.equal(file.suggestedFilename(), "fork_2.csv");
    await accessible(page, "hunting-several");
    await browser.picture(page, "hunting-several");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "loads little before the editor"() {
    const page = await browser.newPage();
    const sizes = new Map();
    page.on("response", async (response) => sizes.set(new URL(response.url()).pathname, (await response.request().sizes().catch(() => null))?.responseBodySize ?? 0));
    await page.goto(`${origin}/#token=${server.profile.token}`);
    await page.waitForSelector(".day > span");
    const files = [...sizes].filter(([path]) => path === "/" || path.startsWith("/assets/"));
    const kib = files.reduce((sum, [, bytes]) => sum + bytes, 0) / 1024;
    console.log(`     ${Math.round(kib)} KiB for the overview with its chart`);
    assert.ok(files.length >= 4 && kib > 50 && kib <= 300, `${kib} KiB: ${JSON.stringify(files)}`);
    await page.close();
  },

  async "lets a reader look and change nothing, and says why"() {
    const { page } = await at("/custom-alerts/pumps", "text=Execution of a process", { token: reader });
    assert.equal(await page.getByRole("button", { name: "Save" }).count(), 0);
    assert.ok(await page.getByRole("checkbox").first().isDisabled());
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByText("needs the role administrator").waitFor();
    assert.ok(await page.getByRole("switch").first().isDisabled());
    await page.goto(`${origin}/alerts/${minerId}`);
    await page.locator("dialog.drawer pre.command").waitFor();
    assert.equal(await page.getByRole("button", { name: "Resolve" }).count(), 0);
    await page.getByText("needs the role operator").waitFor();
    await page.goto(`${origin}/logs`);
    await page.getByText("needs the role analyst").waitFor();
    assert.ok(await page.getByRole("button", { name: "Run" }).isDisabled());
    for (const place of ["/users", "/tokens", "/users/x"]) {
      await page.goto(origin + place);
      await page.getByText("needs the role administrator").waitFor();
    }
    await page.goto(`${origin}/audit`);
    await page.getByText("needs the role analyst").waitFor();
    await page.close();
  },

  async "asks before what is written is lost: closing the drawer, going back, leaving the window"() {
    const { page } = await at("/alerts", "table.alerts tbody tr");
    await page.locator("table.alerts button.link").first().click();
    const drawer = page.locator("dialog.drawer");
    await drawer.getByLabel("Comment").fill("half a sentence");
    const refuse = () => page.once("dialog", (dialog) => void dialog.dismiss());
    refuse();
    await page.keyboard.press("Escape");
    await drawer.waitFor();
    refuse();
    await drawer.getByRole("button", { name: "Close" }).click();
    assert.equal(await drawer.getByLabel("Comment").inputValue(), "half a sentence");
    refuse();
    await page.evaluate(() => window.history.back());
    await page.waitForTimeout(200);
    assert.equal(await drawer.getByLabel("Comment").inputValue(), "half a sentence");
    let leaving = "";
    page.once("dialog", (dialog) => { leaving = dialog.type(); void dialog.dismiss(); });
    await page.evaluate(() => window.location.reload()).catch(() => undefined); // goes the way of closing the window
    await until("the browser asks", async () => leaving === "beforeunload", 10);
    assert.equal(await drawer.getByLabel("Comment").inputValue(), "half a sentence");
    await page.close();
  },

  async "shows a profile, accepts it by keyboard, and tells what left it"() {
    const program = "/opt/<b>app</b>\u202e";
    const lamp = await server.create("lamp-1", "azureiotsecurity");
    await publish(server, lamp, connectionMessage(program, ["203.0.113.7", 443], ["192.168.1.1", 53]));
    await until("the connections are rows", async () => (await server.query("SecurityIoTRawEvent | where DeviceId == 'lamp-1' and RawEventName == 'ConnectionCreate'")).length === 2, 60);
    const { page, complaints } = await at("/profiles", "text=No profile is accepted on home yet");
    await page.getByLabel("Name of a class, or a device").fill("lamps");
    await page.getByLabel("Its devices").fill("lamp-*");
    await page.keyboard.press("Enter");
    await page.getByText("not accepted: nothing watches it").waitFor();
    assert.match(page.url(), /\/profiles\/lamps\?devices=lamp-\*$/);
    const connections = page.getByRole("region", { name: "Connections" });
    assert.equal(await connections.getByRole("row").count(), 3);
    await connections.getByText("203.0.113.7/32").waitFor();
    assert.equal(await connections.getByText("/opt/<b>app</b>\\u202e").count(), 2);
    const fetched = page.waitForEvent("download");
    await page.getByRole("button", { name: "Packet filter that drops" }).click();
    const file = await fetched;
    assert.equal(file.suggestedFilename(), "lamps-enforce.nft");
    assert.match(readFileSync(await file.path(), "utf8"), /ip daddr 203\.0\.113\.7\/32 tcp dport 443 accept/);
    await page.getByRole("button", { name: "Accept" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Is all of it right? Accept" }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByText("What the devices do is what was accepted.").waitFor();
    await page.getByRole("link", { name: "profile-lamps" }).waitFor();

    await publish(server, lamp, connectionMessage("/tmp/x", ["198.51.100.66", 23]));
    await until("drift is told", async () => {
      await page.reload();
      await page.getByRole("heading", { name: "Drift" }).waitFor();
      return (await page.locator("pre.diff").count()) > 0 && (await page.locator("pre.diff").innerText()).trim() === "+ out tcp/23 198.51.100.66/32";
    }, 60);
    await page.getByRole("link", { name: "Profiles" }).first().click();
    await page.getByRole("cell", { name: "lamp-*" }).waitFor();
    await page.getByRole("link", { name: "lamps", exact: true }).click();
    await page.getByText("accepted by").waitFor();
    await page.close();
    const { page: readers } = await at("/profiles/lamps", "text=need the role administrator", { token: reader });
    assert.equal(await readers.getByRole("button", { name: /Accept|Forget/ }).count(), 0);
    await readers.close();
    assert.deepEqual(complaints, []);
  },

  async "says what is not there, and finds what has a dot in its name"() {
    const { page } = await at("/custom-alerts/nobody", "[role=alert]");
    assert.match(await page.locator("[role=alert]").innerText(), /has no security group.*go back to the list.*Try again/is);
    await page.goto(`${origin}/devices/${dotted}`);
    await page.locator("h2.device", { hasText: dotted }).waitFor();
    await page.close();
  },

  async "is accessible everywhere, light and dark, large and small"() {
    const places = [
      ["overview", "/", ".day > span"], ["alerts", "/alerts?status=all", "table.alerts"], ["alert", `/alerts/${minerId}`, ".process.meant"],
      ["recommendations", "/recommendations", ".filters"], ["devices", "/devices", "table"], ["device", "/devices/pump-3?tab=processes", "table.rows"],
      ["logs", "/logs", ".query-editor .monaco-editor"], ["custom-alerts", "/custom-alerts", ".groups"], ["custom-alert", "/custom-alerts/pumps", ".rules"],
      ["rules", "/rules?sort=hits", ".rules-table"], ["rule-edit", "/rules/new?tab=edit", ".editor"],
      ["intelligence", "/intelligence?value=198.51.100.1", "text=No indicator names"], ["settings", "/settings", ".rules"],
      ["profiles", "/profiles", "table"], ["profile", "/profiles/lamps", ".hours"], ["settings-network", "/settings?tab=network", "form"],
      ["settings-policies", "/settings?tab=policies", "table"], ["settings-diagnostics", "/settings?tab=diagnostics", ".checks"], ["settings-enrollments", "/settings?tab=enrollments", "table"], ["health", "/health?show=all", "table.counters"],
    ];
    const looks = [["", { viewport: { width: 1360, height: 1000 } }], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]];
    for (const [suffix, options] of looks) {
      const { page } = await browser.signedIn(options, "/", { awaited: ".rail" });
      for (const [name, place, awaited] of places) {
        await page.goto(`${origin}${place}`);
        await page.waitForSelector(awaited);
        await browser.judge(page, `${name}${suffix}`);
      }
      await page.close();
    }
  },

  async "forgets a profile"() {
    const { page, complaints } = await at("/profiles/lamps", "text=accepted by");
    await page.getByRole("button", { name: "Forget" }).click();
    await page.getByRole("button", { name: "Forget what was accepted?" }).click();
    await page.getByText("not accepted: nothing watches it").waitFor();
    await page.goto(`${origin}/profiles`);
    await page.getByText("No profile is accepted on home yet").waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
