// Where the access token comes from. ./start prints an address with #token=…; a fragment is never sent to a
// server, and it is taken out of the address bar at once.
const key = "fieldwatch.token";

export function tokenInFragment(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token === null || token === "" ? null : token;
}

export function takeToken(): string | null {
  const fresh = tokenInFragment(window.location.hash);
  if (fresh !== null) {
    sessionStorage.setItem(key, fresh);
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  }
  return sessionStorage.getItem(key);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(key, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(key);
}
