// The npm packages that these tests are about, by package-lock.json, kept in a folder between runs.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

/** npm ci into `folder`, once per lock file; a `require` that finds what is there. */
export function install(folder) {
  const lock = path.join(here, "package-lock.json");
  const copy = path.join(folder, "package-lock.json");
  const done = path.join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(done) || !existsSync(copy) || readFileSync(lock, "utf8") !== readFileSync(copy, "utf8")) {
    mkdirSync(folder, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) copyFileSync(path.join(here, name), path.join(folder, name));
    execFileSync(path.join(here, "../../tools/npm"), ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], {
      cwd: folder, stdio: ["ignore", "ignore", "inherit"],
    });
  }
  return createRequire(path.join(folder, "package.json"));
}

/** Trusts the server's certificate authority in this process, as NODE_EXTRA_CA_CERTS would: some SDKs have no option. */
export function trust(server) {
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), server.ca]);
}

/** Whether port 443 of a loopback address is ours to take: several SDKs know no other port for HTTPS and WebSocket. */
export function mayTake443(address) {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(443, address, () => probe.close(() => resolve(true)));
  });
}
