// A small identity provider with real keys, for tests of signing in elsewhere: OpenID Connect, authorization code with PKCE.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer } from "node:http";

export const secret = "s3cret/with+signs=&%";
const text = (bytes) => Buffer.from(bytes).toString("base64url");
export const makeKey = (kind, id) => ({
  id, kind, ...(kind === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" })),
});

/** The provider. `people` and `wrong` are changed by the tests as they go. */
export class Provider {
  async start() {
    this.server = createServer((request, response) => this.answer(request, response).catch((error) => response.writeHead(500).end(String(error))));
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.issuer = `http://127.0.0.1:${this.server.address().port}/realm`;
    this.keys = [makeKey("ES256", "first")];
    this.codes = new Map();
    this.person = {};
    this.claims = {}; // over the right ones, in the token
    this.header = {};
    this.userInfo = null;
    this.signer = null; // another key than the published one
    this.bodySecretOnly = false;
    this.callItself = null;
    this.asked = [];
    return this;
  }

  token(claims) {
    const key = this.signer ?? this.keys[0];
    const head = { alg: key.kind, kid: key.id, ...this.header };
    const signed = `${text(JSON.stringify(head))}.${text(JSON.stringify(claims))}`;
    const signature = head.alg === "none" ? "" : text(sign("sha256", Buffer.from(signed), { key: key.privateKey, dsaEncoding: "ieee-p1363" }));
    return `${signed}.${signature}`;
  }

  async answer(request, response) {
    const url = new URL(request.url, this.issuer);
    const json = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    this.asked.push(url.pathname);
    switch (url.pathname) {
      case "/realm/.well-known/openid-configuration":
        return json(200, {
          issuer: this.callItself ?? this.issuer, authorization_endpoint: `${this.issuer}/authorize?theme=dark`, token_endpoint: `${this.issuer}/token`,
          jwks_uri: `${this.issuer}/keys`, userinfo_endpoint: `${this.issuer}/userinfo`,
          ...(this.bodySecretOnly && { token_endpoint_auth_methods_supported: ["client_secret_post"] }),
        });
      case "/realm/keys":
        return json(200, { keys: this.keys.map((key) => ({ ...key.publicKey.export({ format: "jwk" }), kid: key.id, use: "sig", alg: key.kind })) });
      case "/realm/authorize": {
        const asked = Object.fromEntries(url.searchParams);
        assert.equal(asked.theme, "dark");
        assert.equal(asked.response_type, "code");
        assert.equal(asked.code_challenge_method, "S256");
        assert.deepEqual(asked.scope.split(" "), ["openid", "profile", "email"]);
        const code = randomBytes(16).toString("hex");
        this.codes.set(code, asked);
        const back = new URL(asked.redirect_uri);
        back.searchParams.set("code", code);
        back.searchParams.set("state", asked.state);
        return response.writeHead(302, { location: back.href }).end();
      }
      case "/realm/token": {
        let body = "";
        for await (const part of request) body += part;
        const form = Object.fromEntries(new URLSearchParams(body));
        const asked = this.codes.get(form.code);
        this.codes.delete(form.code); // once
        const basic = Buffer.from((request.headers.authorization ?? "").replace("Basic ", ""), "base64").toString().split(":").map(decodeURIComponent);
        const proven = this.bodySecretOnly ? form.client_secret === secret && !request.headers.authorization : basic[0] === "fieldwatch" && basic[1] === secret;
        if (!proven) return json(401, { error: "invalid_client" });
        const challenge = createHash("sha256").update(form.code_verifier ?? "").digest("base64url");
        const fits = asked && form.grant_type === "authorization_code" && asked.redirect_uri === form.redirect_uri && asked.code_challenge === challenge;
        if (!fits) return json(400, { error: "invalid_grant" });
        const now = Math.floor(Date.now() / 1000);
        const claims = { iss: this.issuer, aud: "fieldwatch", nonce: asked.nonce, iat: now, exp: now + 300, ...this.person, ...this.claims };
        return json(200, { access_token: "access", token_type: "Bearer", id_token: this.token(claims) });
      }
      case "/realm/userinfo":
        assert.equal(request.headers.authorization, "Bearer access");
        return json(200, this.userInfo ?? {});
      default:
        return json(404, {});
    }
  }
}
