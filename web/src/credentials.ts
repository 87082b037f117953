// How the page shows who it is: by a session, whose cookie no script can read, or by an access token. ./start prints an address
// with #token=…; a fragment is never sent to a server, and it is taken out of the address bar at once.
import type { Role } from "./model";
import { ApiError } from "./trouble";

export type Credentials = { kind: "token"; token: string } | { kind: "session"; csrf: string };

const key = "fieldwatch.token"; // of this tab only

export function tokenInFragment(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token === null || token === "" ? null : token;
}

export function takeToken(): string | null {
  const fresh = tokenInFragment(window.location.hash);
  if (fresh !== null) {
    keepToken(fresh);
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  }
  return sessionStorage.getItem(key);
}

export const keepToken = (token: string) => sessionStorage.setItem(key, token);
export const forgetToken = () => sessionStorage.removeItem(key);

interface SessionAnswer {
  name: string;
  role: Role;
  csrf: string | null; // of a token: none
}

async function asked(method: "GET" | "POST", body?: unknown): Promise<SessionAnswer> {
  const response = await fetch("/api/v1/session", { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const answer = (await response.json().catch(() => null)) as (SessionAnswer & { error?: { code?: string; message?: string } }) | null;
  if (response.ok && answer) return answer;
  throw new ApiError(response.status, answer?.error?.message ?? response.statusText, answer?.error?.code);
}

/** All else was right: the user has a second factor, and its code is missing. */
export const codeWanted = (reason: unknown) => reason instanceof ApiError && reason.details === "SecondFactorRequiredError";

/** The session of this browser's cookie; null for none. */
export async function presentSession(): Promise<(Credentials & { kind: "session" }) | null> {
  try {
    const { csrf } = await asked("GET");
    return csrf === null ? null : { kind: "session", csrf };
  } catch (reason) {
    if (reason instanceof ApiError && reason.status === 401) return null;
    throw reason;
  }
}

/** Whoever this browser's cookie stands for now; null for nobody. */
export async function presentPerson(): Promise<{ name: string; credentials: Credentials } | null> {
  try {
    const { name, csrf } = await asked("GET");
    return csrf === null ? null : { name, credentials: { kind: "session", csrf } };
  } catch {
    return null;
  }
}

/** Where people may sign in instead, and the address that begins it; null where no identity provider is set. */
export async function providerElsewhere(): Promise<{ name: string; begin: string } | null> {
  const response = await fetch("/api/v1/session/provider");
  const answer = (await response.json().catch(() => null)) as { enabled?: boolean; name?: string; begin?: string } | null;
  return response.ok && answer?.enabled && answer.name && answer.begin ? { name: answer.name, begin: answer.begin } : null;
}

/** Signs in: always a new session. `code`: of the user's authenticator, "" = none; `codeWanted` tells whether it is missing. Throws ApiError. */
export async function openSession(user: string, password: string, code = ""): Promise<{ name: string; credentials: Credentials }> {
  const { name, csrf } = await asked("POST", code === "" ? { user, password } : { user, password, code });
  return { name, credentials: { kind: "session", csrf: csrf ?? "" } };
}
