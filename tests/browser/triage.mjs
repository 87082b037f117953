// From many alerts to what matters: decided about together, walked through one by one, led back to their cause; a device cut off.
// Usage: node triage.mjs [SCREENSHOTS], a folder for pictures of each place at two sizes.
import assert from "node:assert/strict";
import { diagnosticMessage, droppedMessage, loginMessage, portsMessage, processMessage, publish, runAll, Server, until } from "../integration/harness.mjs";
import { accessible, launch } from "./browser.mjs";

const server = await Server.start();
const browser = await launch(server, process.argv[2]);
await server.cli("hub", "create", "home");
const origin = server.profile.server;
const pumps = [];
for (const name of ["pump-1", "pump-2", "pump-3"]) pumps.push(await server.create(name, "azureiotsecurity"));
const [first, second, third] = pumps;
const hostile = "valve-stuck <img src=x onerror=alert(1)>";
await publish(server, first, loginMessage());
await publish(server, first, processMessage("sshd: operator", { ProcessId: 40, ParentProcessId: 1 }));
await publish(server, first, processMessage("bash -l", { ProcessId: 41, ParentProcessId: 40 }));
await publish(server, first, processMessage("cpuminer-multi", { ProcessId: 43, ParentProcessId: 41 }));
await publish(server, second, processMessage("cpuminer-multi"));
await publish(server, third, processMessage("cpuminer-multi"));
await publish(server, third, processMessage("history -c"));
await publish(server, second, portsMessage(["0.0.0.0", "23"]));
await publish(server, first, diagnosticMessage("collecting: processes by BPF, exits by BPF, connections by BPF, UDP by polling"));
await publish(server, first, droppedMessage("Low", 200, 50));
const openMiners = 'SecurityAlert | summarize arg_max(TimeGenerated, *) by SystemAlertId | where AlertType == "IoT_CryptoMiner" and Status !in ("Dismissed", "Resolved")';
await server.rows(openMiners, 3);
await server.rows("SecurityRecommendation | distinct RecommendationId");
const at = (place, awaited, more = {}) => browser.signedIn({}, place, { awaited, ...more });
const reader = JSON.parse(await server.request("PUT", "/api/v1/tokens/reader", { role: "reader" })).token;
const statusOf = (device) => server.query(`SecurityAlert | where CompromisedEntity == "${device}" and AlertType == "IoT_CryptoMiner" | top 1 by TimeGenerated desc | project Status`);
const settled = (device, status) => until(`${device}'s miner is ${status}`, async () => (await statusOf(device))[0]?.[0] === status);
const today = new Date().toISOString().slice(0, 10);

const failed = await runAll({
  async "leads from the first page to the cause of an alert in five clicks"() {
    const { page, complaints } = await at("/", "table.alerts tbody tr");
    let clicks = 0;
    const click = async (locator) => {
      clicks += 1;
      await locator.click();
    };
    await click(page.locator("table.alerts tr", { hasText: "pump-1" }).locator("button.link", { hasText: "miner" }));
    const drawer = page.locator("dialog.drawer");
    await drawer.locator(".process.meant", { hasText: "cpuminer-multi" }).waitFor();
    assert.match(await drawer.locator(".tree").innerText(), /sshd: operator[^]*bash -l[^]*cpuminer-multi/, "who started it");
    await click(drawer.getByText("What the rule looked at, and what held"));
    await drawer.locator(".clauses").getByText("holds", { exact: true }).first().waitFor();
    assert.match(await drawer.locator(".clauses").first().innerText(), /CommandLine = cpuminer-multi/, "the event that raised it, not its neighbours");
    await click(drawer.locator("button.device"));
    await click(page.getByRole("link", { name: "Timeline" }));
    await page.locator(".timeline li", { hasText: "Login of operator from 192.168.1.77" }).waitFor();
    await page.locator(".timeline li", { hasText: "miner" }).waitFor();
    assert.ok(clicks <= 5, `${clicks} clicks`);
    await browser.picture(page, "device-timeline");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows the worst first, what is weak, and who is in trouble, each leading further"() {
    const { page, complaints } = await at("/", "table.alerts tbody tr");
    const severities = await page.locator("table.alerts .severity").allInnerTexts();
    const order = ["High", "Medium", "Low", "Informational"];
    assert.deepEqual(severities, [...severities].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    await page.locator(".riskiest li", { hasText: "pump-1" }).getByRole("button", { name: "pump-1" }).click();
    await page.locator("h2.device", { hasText: "pump-1" }).waitFor();
    await page.goBack();
    await page.locator(".findings button.link", { hasText: "Open Ports" }).click();
    await page.locator(".groups summary", { hasText: "Open Ports" }).waitFor();
    await page.goBack();
    await page.locator(".day:has(> span)").last().click();
    assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { day: today, status: "all" });
    await page.locator("table.alerts tbody tr").first().waitFor();
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "takes a typed filter as one step, and clears all of them"() {
    const { page } = await at("/", ".rail");
    await page.getByRole("link", { name: "Alerts", exact: true }).click();
    await page.getByLabel("Device", { exact: true }).pressSequentially("pump-3");
    await until("only one pump's alerts are there", async () => (await page.locator("table.alerts td.device").allInnerTexts()).every((one) => one === "pump-3"), 5);
    assert.match(page.url(), /device=pump-3$/);
    await page.goBack();
    assert.equal(new URL(page.url()).search, "");
    assert.equal(await page.getByLabel("Device", { exact: true }).inputValue(), "");
    await page.goForward();
    await page.getByLabel("Severity").selectOption("High");
    await page.getByText("No alert is like this.").waitFor();
    await page.getByRole("button", { name: "Clear" }).click();
    await page.locator("table.alerts tr", { hasText: "pump-1" }).first().waitFor();
    assert.equal(new URL(page.url()).search, "");
    await page.close();
  },

  async "walks through the alerts of a list without going back to it"() {
    const { page, complaints } = await at("/alerts?name=miner", "table.alerts tbody tr:nth-child(3)");
    const devices = await page.locator("table.alerts td.device").allInnerTexts();
    await page.locator("table.alerts button.link").first().click();
    const drawer = page.locator("dialog.drawer");
    await drawer.getByText("1 of 3").waitFor();
    assert.ok(await drawer.getByRole("button", { name: "Previous alert of the list" }).isDisabled());
    await drawer.getByLabel("Comment").waitFor();
    await drawer.getByRole("button", { name: "Next alert of the list" }).focus();
    await page.keyboard.press("Enter");
    await drawer.getByText("2 of 3").waitFor();
    await drawer.locator("button.device", { hasText: devices[1] }).waitFor();
    await page.keyboard.press("Enter"); // the keyboard is still there
    await drawer.locator("button.device", { hasText: devices[2] }).waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    assert.equal(new URL(page.url()).search, "?name=miner");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "decides about many at once, by keyboard, and only about what is shown"() {
    const { page, complaints } = await at("/alerts", "table.alerts tbody tr:nth-child(4)");
    const many = page.getByRole("region", { name: "Decide about the chosen alerts" });
    await page.getByLabel("Choose all in view").focus();
    await page.keyboard.press("Space");
    await many.getByText(/^[4-9] chosen$/).waitFor();
    await page.getByLabel("Name", { exact: true }).fill("miner");
    await many.getByText("3 chosen").waitFor(); // what the filter hides is not decided about
    await page.getByLabel(/Choose .*miner.* of pump-1/i).click();
    await many.getByText("2 chosen").waitFor();
    assert.ok(await page.getByLabel("Choose all in view").evaluate((box) => box.indeterminate));
    await many.getByLabel("Comment").fill("a test of the line");
    await many.getByRole("button", { name: "In progress" }).click();
    await page.getByText("2 alerts: In progress.").waitFor();
    await Promise.all(["pump-2", "pump-3"].map((one) => settled(one, "InProgress")));
    assert.equal((await statusOf("pump-1"))[0][0], "New");
    await page.locator("table.alerts tr", { hasText: "pump-2" }).getByText("InProgress").waitFor();
    await page.getByLabel("Choose all in view").check();
    await page.getByLabel(/Choose .*miner.* of pump-1/i).uncheck();
    await many.getByRole("button", { name: "Dismiss…" }).click();
    assert.ok(await many.getByRole("button", { name: "Dismiss 2 for good" }).isDisabled());
    await many.getByLabel("Reason").selectOption("A test");
    await browser.picture(page, "alerts-many");
    await many.getByRole("button", { name: "Dismiss 2 for good" }).click();
    await page.getByText("2 alerts: Dismissed.").waitFor();
    await page.locator("table.alerts tr", { hasText: "pump-2" }).waitFor({ state: "detached" });
    assert.equal((await server.query(openMiners)).length, 1);
    const [[notes]] = await server.query('SecurityAlert | where CompromisedEntity == "pump-2" and AlertType == "IoT_CryptoMiner" | top 1 by TimeGenerated desc | project tostring(parse_json(ExtendedProperties).Notes)');
    assert.match(notes, /a test of the line[^]*A test/);
    await server.rows('AzureActivity | where OperationNameValue has "decisions" and tostring(parse_json(Properties).detail) == "2 alerts"', 2);
    await page.close();
    const { page: readers } = await at("/alerts", "table.alerts tbody tr", { token: reader });
    assert.equal(await readers.getByRole("checkbox").count(), 0);
    await readers.close();
    assert.deepEqual(complaints, []);
  },

  async "decides about the aggregate of a day, and opens its alerts"() {
    const { page, complaints } = await at("/alerts?view=daily&status=all", "table.alerts tbody tr");
    const day = page.locator("table.alerts tr", { hasText: "miner" });
    await day.getByRole("checkbox").check();
    const many = page.getByRole("region", { name: "Decide about the chosen alerts" });
    await many.getByText("3 chosen").waitFor();
    await many.getByRole("button", { name: "Not useful" }).click();
    await page.getByText("3 alerts: Thank you.").waitFor();
    await until("each has it", async () =>
      (await server.query('SecurityAlert | summarize arg_max(TimeGenerated, *) by SystemAlertId | where AlertType == "IoT_CryptoMiner" and tostring(parse_json(ExtendedProperties).Notes) has "NotUseful"')).length === 3);
    await day.getByRole("button", { name: /miner/i }).click();
    await page.locator("table.alerts tbody tr:nth-child(3)").waitFor();
    const { day: shown, name } = Object.fromEntries(new URL(page.url()).searchParams);
    assert.deepEqual([shown, name], [today, "IoT_CryptoMiner"]);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "cuts a device off with a reason, and lets it in again"() {
    const { page, complaints } = await at("/devices/pump-3", "h2.device");
    await page.getByRole("button", { name: "Cut off…" }).click();
    assert.ok(await page.getByRole("button", { name: "Cut it off" }).isDisabled());
    await page.getByLabel("Reason").fill(hostile);
    await accessible(page, "cutting a device off");
    await browser.picture(page, "device-cut-off");
    await page.keyboard.press("Enter");
    await page.getByText("It is cut off").waitFor();
    await page.getByText(`because: ${hostile}`).waitFor();
    await page.locator(".state.off", { hasText: "Disabled" }).waitFor();
    await assert.rejects(publish(server, third, processMessage("ls")), "a device that is cut off gets in");
    assert.equal(JSON.parse(await server.request("GET", "/api/v1/hubs/home/devices/pump-3")).status, "disabled");
    await page.getByRole("button", { name: "Let it in again" }).click();
    await page.getByText("It may connect again.").waitFor();
    await publish(server, third, processMessage("ls"));
    await page.close();
    const { page: readers } = await at("/devices/pump-3", "h2.device", { token: reader });
    await readers.locator(".state.Connected, .state.Disconnected").waitFor();
    assert.equal(await readers.getByRole("button", { name: "Cut off…" }).count(), 0);
    await readers.close();
    assert.deepEqual(complaints, []);
  },

  async "says how a device's agent collects, what it lost and what it reported; the address keeps the time range"() {
    const { page, complaints } = await at("/devices/pump-1?tab=agent&span=P1D", "table.rows");
    await page.getByText(/connections by BPF, UDP by polling/).first().waitFor();
    const lost = page.locator("section", { has: page.getByRole("heading", { name: "Lost on the device" }) });
    await lost.locator("tbody tr").first().waitFor();
    assert.deepEqual((await lost.locator("tbody td").allInnerTexts()).slice(0, 3), ["Low", "200", "50"]);
    await page.locator("section", { has: page.getByRole("heading", { name: "What it reported" }) }).getByText("Information").waitFor();
    assert.equal(await page.getByLabel("Time range").inputValue(), "P1D");
    await page.getByLabel("Time range").selectOption("P30D");
    await page.getByRole("link", { name: "Logins" }).click();
    assert.match(page.url(), /tab=logins&span=P30D$/);
    await page.locator("table.rows tr", { hasText: "operator" }).waitFor();
    await page.getByRole("button", { name: "Open in the logs" }).click();
    await page.locator(".query-editor .monaco-editor").waitFor();
    assert.equal(await page.getByLabel("Time range").inputValue(), "P30D");
    assert.equal(new URL(page.url()).searchParams.get("span"), "P30D");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "has examples of queries that all run, and stacks in a chart what happened at the same time"() {
    const { page, complaints } = await at("/logs", ".query-editor .monaco-editor");
    const examples = page.locator(".examples button");
    for (let one = 0; one < (await examples.count()); ++one) {
      const name = await examples.nth(one).innerText();
      const answered = page.waitForResponse((response) => /\/v1\/workspaces\/[^/]+\/query$/.test(response.url()));
      await examples.nth(one).click();
      await page.getByRole("button", { name: "Run" }).click();
      assert.equal((await answered).status(), 200, name);
    }
    await page.locator(".chart canvas").waitFor();
    await browser.picture(page, "chart-stacked");
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "chooses numbers of telemetry, and says what is wrong with a path"() {
    const { page, complaints } = await at("/settings?tab=metrics", "text=No number is taken out of telemetry.");
    await page.getByRole("button", { name: "Add a number" }).click();
    await page.getByLabel("Name").fill("celsius");
    await page.getByLabel("Path").fill("$..celsius");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("[role=alert]", { hasText: "celsius" }).waitFor();
    await page.getByLabel("Path").fill("$.room.celsius");
    await page.keyboard.press("Enter");
    await page.getByText("Saved. The next messages are read so.").waitFor();
    const { configuration } = JSON.parse(await server.request("GET", "/api/v1/hubs/home"));
    assert.deepEqual(configuration.telemetryMetrics, [{ name: "celsius", path: "$.room.celsius" }]);
    await page.reload();
    assert.equal(await page.getByLabel("Path").inputValue(), "$.room.celsius");
    await page.getByRole("button", { name: "Take out: celsius" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved: no number is taken out of telemetry.").waitFor();
    await page.goto(`${origin}/settings?tab=connectors`);
    await page.getByText("This hub is attached to nothing.").waitFor();
    assert.deepEqual(complaints.filter((one) => !one.includes("400")), []);
    await page.close();
  },

  async "is accessible, light and dark, large and small"() {
    const places = [
      ["overview-triage", "/", ".riskiest li"], ["alerts-chosen", "/alerts?status=all", "table.alerts"], ["device-state", "/devices/pump-1", "table.alerts"],
      ["device-agent", "/devices/pump-1?tab=agent", "table.rows"], ["settings-metrics", "/settings?tab=metrics", "form"], ["settings-connectors", "/settings?tab=connectors", "text=Attach this hub"],
    ];
    for (const [suffix, options] of [["", {}], ["-phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]]) {
      const { page } = await browser.signedIn(options, "/", { awaited: ".rail" });
      for (const [name, place, awaited] of places) {
        await page.goto(origin + place);
        await page.waitForSelector(awaited);
        if (name === "alerts-chosen") await page.getByLabel("Choose all in view").check();
        await browser.judge(page, `${name}${suffix}`);
      }
      await page.close();
    }
  },
});
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
