// The page in headless Chromium, against a server that this test starts: HOST is a command that prints the port it
// serves on, and then makes one new alert for each line it reads. Usage: node page.mjs HOST [SCREENSHOTS].
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const executablePath = "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.error("SKIPPED: /usr/bin/chromium is not installed (Debian package chromium)");
  process.exit(77);
}

const [command, screenshots] = process.argv.slice(2);
const host = spawn(command, { shell: true, stdio: ["pipe", "pipe", "inherit"] });
const [port] = await once(createInterface({ input: host.stdout }), "line");
const origin = `http://127.0.0.1:${port}`;
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run"],
});

const picture = async (page, name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
};

async function signedIn(options = {}) {
  const page = await browser.newPage({ viewport: { width: 1360, height: 1000 }, ...options });
  const complaints = [];
  const hosts = new Set();
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(`${origin}/#token=secret`);
  await page.waitForSelector("table.alerts tbody tr");
  return { page, complaints, hosts };
}

const tests = {
  async "asks for a token, refuses a wrong one, takes the right one"() {
    const page = await browser.newPage();
    await page.goto(origin);
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=alert]");
    await page.fill("#token", "secret");
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
    await page.waitForSelector(".chart canvas");
    assert.ok((await page.locator("td.device").count()) > 0);
    assert.match(await page.locator("time").first().getAttribute("title"), / UTC/);
    await page.waitForSelector(".link.live");
    await page.waitForTimeout(500);
    await picture(page, "overview");
    assert.deepEqual([...hosts], [`127.0.0.1:${port}`]);
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows an alert by keyboard alone, device text as text, and closes on Escape"() {
    const { page, complaints } = await signedIn();
    await page.locator("table.alerts button.link").first().focus();
    await page.keyboard.press("Enter");
    const drawer = page.locator("dialog.drawer");
    await drawer.locator("pre.command").waitFor();
    assert.match(await drawer.locator("pre.command").innerText(), /<img src=x/);
    assert.equal(await drawer.locator("img").count(), 0);
    assert.ok((await drawer.locator(".evidence li").count()) > 0);
    assert.match(await drawer.innerText(), /T1496/);
    await picture(page, "alert");
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    assert.deepEqual(complaints, []);
    await page.close();
  },

  async "shows a new alert without being reloaded"() {
    const { page } = await signedIn();
    await page.waitForSelector(".link.live");
    const before = Number(await page.locator("[data-severity=High] .tile-number").innerText());
    const asked = performance.now();
    host.stdin.write("\n");
    await page.getByText("Live alert").waitFor({ timeout: 5000 });
    console.log(`     visible after ${Math.round(performance.now() - asked)} ms`);
    assert.equal(Number(await page.locator("[data-severity=High] .tile-number").innerText()), before + 1);
    await page.close();
  },

  async "is dark where the viewer's system is, and fits a phone"() {
    const dark = await signedIn({ colorScheme: "dark" });
    await dark.page.waitForSelector(".chart canvas");
    await dark.page.waitForTimeout(500);
    await picture(dark.page, "dark");
    await dark.page.close();
    const phone = await signedIn({ viewport: { width: 390, height: 844 } });
    const overflow = await phone.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await picture(phone.page, "phone");
    assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);
    await phone.page.close();
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await browser.close();
host.stdin.end();
await once(host, "exit");
process.exit(failed === 0 ? 0 : 1);
