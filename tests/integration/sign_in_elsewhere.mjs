// People who sign in at an identity provider: a small real one of this test's own (OpenID Connect, authorization code
// with PKCE, keys of both kinds), which says what it should, and then everything that it should not.
import assert from "node:assert/strict";
import { Server, until } from "./harness.mjs";
import { makeKey, Provider, secret } from "./identity_provider.mjs";

/** As much of a browser as signing in needs: it keeps cookies by their path and follows redirections. */
class Browser {
  constructor(server) {
    this.home = server.profile.server;
    this.cookies = new Map();
  }

  async get(address, { method = "GET", headers = {}, body } = {}) {
    const url = new URL(address, this.home);
    const ours = url.origin === new URL(this.home).origin;
    const cookie = [...this.cookies].filter(([, one]) => ours && url.pathname.startsWith(one.path)).map(([name, one]) => `${name}=${one.value}`).join("; ");
    const response = await fetch(url, { method, redirect: "manual", headers: { ...headers, ...(cookie && { cookie }) }, body });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...rest] = line.split("; ");
      const at = pair.indexOf("=");
      const path = rest.find((one) => one.startsWith("Path="))?.slice(5) ?? "/";
      if (rest.includes("Max-Age=0")) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), { value: pair.slice(at + 1), path, line });
    }
    return response;
  }

  /** From the link on the page until something is no redirection, or is one to our page. */
  async signIn(place = "") {
    this.trail = [];
    let address = `/api/v1/session/provider/begin${place && `?return=${encodeURIComponent(place)}`}`;
    for (let step = 0; step < 5; ++step) {
      const response = await this.get(address);
      this.trail.push(address);
      const next = response.headers.get("location");
      if (response.status >= 400 || !next || next.startsWith("/")) return response;
      address = next;
    }
    throw new Error("it does not end");
  }

  async session() {
    const response = await this.get("/api/v1/session");
    return response.ok ? response.json() : null;
  }
}

const server = await Server.start();
const provider = await new Provider().start();
const settings = {
  issuer: provider.issuer, clientId: "fieldwatch", clientSecret: secret, page: server.profile.server, name: "Company",
  roles: { soc: "operator", staff: "reader" },
};
const ann = { sub: "1", preferred_username: "ann", groups: ["staff", "soc"] };

async function refused(what, status, sentence, place) {
  const browser = new Browser(server);
  const response = await browser.signIn(place);
  const said = await response.text();
  assert.equal(response.status, status, `${what}: ${response.status} ${said}`);
  assert.match(said, sentence, what);
  assert.equal(browser.cookies.size, 0, `${what}: a cookie is left`);
  assert.equal(await browser.session(), null, what);
}

const tests = {
  async "a person signs in with the role of its groups"() {
    await server.request("PUT", "/api/v1/identity-provider", settings);
    assert.deepEqual(JSON.parse(await server.request("POST", "/api/v1/identity-provider/test")), { works: true, keys: 1 });
    provider.person = ann;
    const browser = new Browser(server);
    const end = await browser.signIn("/alerts?status=all");
    assert.equal(end.status, 303);
    assert.equal(end.headers.get("location"), "/alerts?status=all");
    const cookie = browser.cookies.get("fieldwatch_session").line;
    assert.match(cookie, /HttpOnly; SameSite=Strict/);
    assert.equal(browser.cookies.size, 1, "the attempt's cookie is gone");
    const session = await browser.session();
    assert.equal(session.name, "ann");
    assert.equal(session.role, "operator");
    assert.equal((await browser.get("/api/v1/users")).status, 403);
    assert.equal((await browser.get("/api/v1/session", { method: "DELETE" })).status, 403, "without the page's word");
    const users = JSON.parse(await server.request("GET", "/api/v1/users")).value;
    assert.deepEqual(users.map(({ name, role, external }) => ({ name, role, external })), [{ name: "ann", role: "operator", external: true }]);
    // The code has been used: the address that brought ann in brings nobody in again, not even her own browser.
    const again = await browser.get(browser.trail[2]);
    assert.equal(again.status, 401);
  },
  async "keys are turned, and RS256 is understood"() {
    provider.keys = [makeKey("RS256", "second")];
    const browser = new Browser(server);
    assert.equal((await browser.signIn()).status, 303);
    assert.equal((await browser.session()).name, "ann");
  },
  async "a provider that takes the secret in the body only"() {
    provider.bodySecretOnly = true;
    await server.request("POST", "/api/v1/identity-provider/test");
    assert.equal((await new Browser(server).signIn()).status, 303);
    provider.bodySecretOnly = false;
    await server.request("POST", "/api/v1/identity-provider/test");
  },
  async "groups that only userinfo names"() {
    provider.person = { sub: "2", preferred_username: "bob" };
    provider.userInfo = { sub: "2", groups: ["staff"] };
    const browser = new Browser(server);
    await browser.signIn();
    assert.equal((await browser.session()).role, "reader");
    provider.userInfo = { sub: "3", groups: ["soc"] };
    await refused("userinfo of another", 401, /another person/);
    provider.userInfo = null;
    provider.person = ann;
  },
  async "a role that is another today, and the sessions of before"() {
    const before = new Browser(server);
    await before.signIn();
    assert.equal((await before.session()).role, "operator");
    provider.person = { ...ann, groups: ["staff"] };
    const after = new Browser(server);
    await after.signIn();
    assert.equal((await after.session()).role, "reader");
    assert.equal(await before.session(), null);
    provider.person = ann;
  },
  async "tokens that are not good"() {
    const now = Math.floor(Date.now() / 1000);
    for (const [claims, sentence] of [
      [{ nonce: "other" }, /nonce/], [{ aud: "another" }, /another client/], [{ iss: "https://other.example" }, /another issuer/],
      [{ exp: now - 120 }, /expired/], [{ iat: now + 600 }, /future/], [{ aud: ["fieldwatch", "x"], azp: "x" }, /another client/],
      [{ sub: "" }, /names nobody/],
    ]) {
      provider.claims = claims;
      await refused(JSON.stringify(claims), 401, sentence);
    }
    provider.claims = {};
    provider.signer = makeKey("RS256", "second");
    await refused("a foreign key of the same name", 401, /signature/);
    provider.signer = makeKey("ES256", "unheard of");
    await refused("a key that is not published", 401, /no key/);
    provider.signer = null;
    for (const header of [{ alg: "none" }, { alg: "HS256" }, { crit: ["x"] }]) {
      provider.header = header;
      await refused(JSON.stringify(header), 401, /RS256 or ES256|crit/);
    }
    provider.header = {};
  },
  async "people who may not come in"() {
    provider.person = { sub: "9", preferred_username: "eve", groups: ["guests"] };
    await refused("no group", 403, /no group of eve/);
    provider.person = { sub: "9", preferred_username: "<img src=x onerror=alert(1)>", groups: ["soc"] };
    await refused("a name that is none", 400, /preferred_username/);
    provider.person = { ...ann, sub: "4" };
    await refused("another ann", 403, /not this person/);
    await server.request("PUT", "/api/v1/users/carl", { role: "administrator", password: "correct horse battery" });
    provider.person = { sub: "5", preferred_username: "carl", groups: ["soc"] };
    await refused("a name that has a password here", 403, /not this person/);
    provider.person = ann;
    const browser = new Browser(server);
    await browser.signIn();
    await server.request("PATCH", "/api/v1/users/ann", { enabled: false });
    assert.equal(await browser.session(), null, "a disabled user's session has ended");
    await refused("a disabled user", 403, /disabled/);
    await server.request("PATCH", "/api/v1/users/ann", { enabled: true });
  },
  async "answers that nobody asked for"() {
    const mine = new Browser(server);
    await mine.signIn();
    const begun = await mine.get("/api/v1/session/provider/begin");
    const victim = new Browser(server);
    const asked = new URL(begun.headers.get("location"));
    const back = await fetch(asked, { redirect: "manual" });
    // Somebody else's browser is led to an address that signs it in as the one who made it.
    const led = await victim.get(back.headers.get("location"));
    assert.equal(led.status, 401);
    assert.equal(victim.cookies.has("fieldwatch_session"), false);
  },
  async "a provider that calls itself something else"() {
    provider.callItself = "https://other.example";
    const test = JSON.parse(await server.request("POST", "/api/v1/identity-provider/test"));
    assert.equal(test.works, false);
    assert.match(test.problem, /calls itself "https:\/\/other\.example"/);
    provider.callItself = null;
  },
  async "who signed in is in the activity log, and no secret in the server's own"() {
    await server.cli("hub", "create", "home");
    await new Browser(server).signIn();
    await until("ann is told of", async () => {
      const rows = await server.query("AzureActivity | where OperationNameValue == 'Fieldwatch/session/action' | project Caller, ActivityStatusValue");
      return rows.some(([caller, status]) => caller === "ann" && status === "Success");
    });
    assert.equal(server.log().includes(secret), false);
    const shown = await server.request("GET", "/api/v1/identity-provider");
    assert.equal(shown.includes("s3cret"), false);
  },
  async "the command line names, tries and forgets it"() {
    const shown = await server.cli("user", "provider", "show");
    assert.match(shown, /redirect/);
    assert.match(await server.cli("user", "provider", "test"), /works/);
    await server.cli("user", "provider", "remove");
    assert.equal((await new Browser(server).get("/api/v1/session/provider/begin")).status, 404);
  },
};

try {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(`ok: ${name}`);
  }
  await server.stop();
} catch (error) {
  console.error(server.log());
  throw error;
} finally {
  provider.server.close();
  provider.server.closeAllConnections();
}
