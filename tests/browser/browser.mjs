// Headless Chromium over the real server, for the tests of the page: signed in, watched, photographed, judged by axe-core.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { patience, pause, until } from "../integration/harness.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const { source: axeSource } = require("axe-core");
const executablePath = "/usr/bin/chromium";

/** Ends the process as skipped where there is no Chromium. `screenshots`: a folder for pictures, or nothing. */
export async function launch(server, screenshots) {
  if (!existsSync(executablePath)) {
    console.error("SKIPPED: /usr/bin/chromium is not installed (Debian package chromium)");
    process.exit(77);
  }
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--no-first-run"],
  });
  return new Browser(browser, server, screenshots);
}

class Browser {
  constructor(browser, server, screenshots) {
    Object.assign(this, { browser, server, screenshots });
  }

  close() {
    return this.browser.close();
  }

  newPage(options = {}) {
    return this.browser.newPage(options);
  }

  async picture(page, name) {
    if (this.screenshots) await page.screenshot({ path: join(this.screenshots, `${name}.png`) });
  }

  /** What is shown, photographed: open to everybody, and no wider than the window. */
  async judge(page, name) {
    await page.waitForTimeout(150); // what fades in has arrived
    await this.picture(page, name);
    await accessible(page, name);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than the window`);
  }

  /** A page at `place`, signed in with `token`; what it complained of and whom it asked. */
  async signedIn(options = {}, place = "/", { awaited = "table.alerts tbody tr", token = this.server.profile.token } = {}) {
    const page = await this.newPage({ viewport: { width: 1360, height: 1000 }, ...options });
    const complaints = [];
    const hosts = new Set();
    page.setDefaultTimeout(30_000 * patience); // the machine may be busy with other tests
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => request.url().startsWith("data:") || hosts.add(new URL(request.url()).host));
    await page.goto(`${this.server.profile.server}${place}#token=${token}`);
    await page.waitForSelector(awaited);
    return { page, complaints, hosts };
  }
}

/** Puts a text in the place of the query editor's; again where the editor was not yet listening. */
export async function write(page, text) {
  const editor = page.locator(".query-editor .monaco-editor");
  await editor.waitFor();
  const bare = (one) => one.replace(/\s/g, "");
  await until(`the editor has the text ${text}`, async () => {
    await editor.click();
    await page.keyboard.press("Control+A");
    await (text === "" ? page.keyboard.press("Delete") : page.keyboard.insertText(text));
    for (let tries = 0; tries < 20; ++tries) {
      if (bare(await editor.locator(".view-lines").innerText()) === bare(text)) return true;
      await pause(50);
    }
    return false;
  }, 30);
}

/** Writes a query and runs it. */
export async function ask(page, text) {
  await write(page, text);
  await page.keyboard.press("Control+Enter");
}

/** Fails with every breach of WCAG 2.2 A and AA that axe-core finds on what is shown. */
export async function accessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"] }));
  const found = violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)}: ${node.failureSummary?.split("\n").slice(0, 3).join(" ")}`));
  assert.deepEqual(found, [], `${what} is not accessible`);
}
