// Who is there? A name and a password, a person known at the company's identity provider, or the access token of a program.
import { useEffect, useState } from "react";
import { codeWanted, type Credentials, keepToken, openSession, providerElsewhere } from "./credentials";
import { TroubleNote } from "./reading";
import { ApiError, type Trouble, troubleOf } from "./trouble";

export interface Entered {
  credentials: Credentials;
  name: string | null; // of a session's user
}

/** A token is worth what the server says of it: it is asked before the page takes it. */
async function tried(token: string): Promise<Credentials> {
  const response = await fetch("/api/v1/who", { headers: { authorization: `Bearer ${token}` } });
  if (response.status === 401) throw new ApiError(401, "That token is not known here, or has expired.");
  if (!response.ok) throw new ApiError(response.status, response.statusText);
  keepToken(token);
  return { kind: "token", token };
}

function said(reason: unknown): Trouble {
  if (!(reason instanceof ApiError)) return troubleOf(reason);
  if (reason.status === 401) return { what: sentence(reason.message), todo: "" };
  if (reason.status === 429) return { what: sentence(reason.message), todo: "Five minutes are enough. An administrator can set a new password." };
  return troubleOf(reason);
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** This place, as the server takes one: a path of plain characters, of bounded length. */
export function wayBack({ pathname, search }: { pathname: string; search: string }): string {
  const place = (pathname + search).replaceAll("\\", "%5C");
  return place.length <= 2000 ? place : pathname;
}

/** The way to the identity provider and back to this place. Over a page that waits behind, in a tab of its own: the page would be lost. */
function Elsewhere({ apart }: { apart: boolean }) {
  const [provider, setProvider] = useState<{ name: string; begin: string } | null>(null);
  useEffect(() => {
    let here = true;
    providerElsewhere().then((found) => here && setProvider(found), () => undefined); // without it there is the form
    return () => void (here = false);
  }, []);
  if (provider === null) return null;
  const back = apart ? "/account" : wayBack(window.location);
  return (
    <div className="elsewhere">
      <p className="quiet"><span>or</span></p>
      <a className="button" href={`${provider.begin}?return=${encodeURIComponent(back)}`} {...(apart && { target: "_blank", rel: "noreferrer" })}>
        Sign in with {provider.name}
      </a>
      {apart && <p className="quiet">It opens in another tab. Come back to this one then: it goes on.</p>}
    </div>
  );
}

interface Props {
  heading: string;
  hint?: string;
  name?: string | undefined; // of whom is expected
  enter: (entered: Entered) => void;
}

export function SignInForm({ heading, hint, name: expected = "", enter }: Props) {
  const [byToken, setByToken] = useState(false);
  const [name, setName] = useState(expected);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState<string | null>(null); // null: not asked for
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Trouble | null>(null);
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      if (byToken) enter({ credentials: await tried(token.trim()), name: null });
      else enter(await openSession(name.trim(), password, code?.trim() ?? ""));
    } catch (reason) {
      setBusy(false);
      if (codeWanted(reason)) return setCode("");
      setError(said(reason));
      setPassword("");
      setCode(null);
    }
  };
  const turn = (to: boolean) => {
    setByToken(to);
    setError(null);
  };
  return (
    <>
      <h1><img src="/icon.svg" alt="" width="28" height="28" /> {heading}</h1>
      {hint && <p role="status">{hint}</p>}
      <form onSubmit={(event) => { event.preventDefault(); void submit(); }}>
        {byToken ? (
          <>
            <label htmlFor="token">Access token</label>
            <input id="token" key="token" type="password" autoComplete="off" spellCheck={false} required autoFocus value={token} onChange={(event) => setToken(event.target.value)} />
          </>
        ) : (
          <>
            <label htmlFor="user">User name</label>
            <input id="user" autoComplete="username" autoCapitalize="none" spellCheck={false} required maxLength={64} autoFocus={expected === ""} value={name} onChange={(event) => setName(event.target.value)} />
            <label htmlFor="password">Password</label>
            <input id="password" type="password" autoComplete="current-password" required maxLength={256} autoFocus={expected !== ""} value={password} onChange={(event) => setPassword(event.target.value)} />
            {code !== null && (
              <>
                <label htmlFor="code">Code of your authenticator, or a recovery code</label>
                <input id="code" autoComplete="one-time-code" spellCheck={false} required maxLength={32} autoFocus value={code} onChange={(event) => setCode(event.target.value)} />
              </>
            )}
          </>
        )}
        {error !== null && <TroubleNote trouble={error} />}
        <button type="submit" className="primary" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
      </form>
      <Elsewhere apart={expected !== ""} />
      <p className="other">
        <button type="button" className="link" onClick={() => turn(!byToken)}>{byToken ? "Sign in with a name and a password" : "Sign in with an access token"}</button>
      </p>
      {expected === "" && <p className="quiet">{byToken ? "./start prints an address that signs you in; fieldwatch token create makes more tokens." : "An administrator makes users here, or with fieldwatch user add."}</p>}
    </>
  );
}
