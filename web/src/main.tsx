import { StrictMode, useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { Api } from "./api";
import { type Credentials, forgetToken, keepToken, presentSession, takeToken } from "./credentials";
import { Frame } from "./frame";
import type { Who } from "./model";
import { Renewal } from "./renewal";
import { type Entered, SignInForm } from "./sign_in";
import "./style.css";

type Present = Credentials | "unknown" | null; // null: nobody

function firstPresent(): Present {
  const token = takeToken();
  return token === null ? "unknown" : { kind: "token", token };
}

interface SignedInProps {
  credentials: Credentials;
  leave: (why: string) => void;
  change: (to: Credentials) => void;
}

/** Signed in: one Api for as long as the person is the same, also over the end of a session. */
function SignedIn({ credentials, leave, change }: SignedInProps) {
  const [renewing, setRenewing] = useState<((fresh: Credentials) => void) | null>(null);
  const who = useRef<Who | null>(null);
  // Who was never let in gets the way in, not a page that waits behind it.
  const renew = useRef<() => Promise<Credentials>>(() => Promise.reject(new Error("not there yet")));
  renew.current = () => {
    if (who.current === null) leave("That token is not known here, or has expired.");
    return new Promise((resolve) => who.current !== null && setRenewing(() => resolve));
  };
  const api = useMemo(() => new Api(credentials, () => renew.current()), [credentials]);
  const enter = (entered: Entered) => {
    if (entered.name === null || entered.name !== who.current?.name) return change(entered.credentials);
    renewing?.(entered.credentials);
    setRenewing(null);
  };
  const signOut = async () => {
    try {
      await api.end();
      leave("");
    } catch {
      leave("The server could not be told: the session may go on until it ends by itself. Sign in and out again to be sure.");
    }
  };
  return (
    <>
      <Frame api={api} known={(one) => (who.current = one)} leave={() => void signOut()} />
      {renewing && <Renewal name={who.current?.name} enter={enter} leave={() => leave("")} />}
    </>
  );
}

function App() {
  const [present, setPresent] = useState<Present>(firstPresent);
  const [hint, setHint] = useState("");
  useEffect(() => {
    if (present === "unknown") presentSession().then(setPresent, () => setPresent(null));
  }, [present]);
  const enter = (credentials: Credentials) => {
    setHint("");
    setPresent(credentials);
  };
  const leave = (why: string) => {
    forgetToken();
    setHint(why);
    setPresent(null);
  };
  if (present === "unknown") return <p className="quiet loading">Reading…</p>;
  if (present === null) {
    return (
      <main className="sign-in card">
        <SignInForm heading="Fieldwatch" hint={hint} enter={(entered) => enter(entered.credentials)} />
      </main>
    );
  }
  return (
    <SignedIn
      key={present.kind === "token" ? present.token : present.csrf}
      credentials={present}
      leave={leave}
      change={(to) => {
        forgetToken();
        if (to.kind === "token") keepToken(to.token);
        enter(to);
      }}
    />
  );
}

const place = document.getElementById("page");
if (place) createRoot(place).render(<StrictMode><App /></StrictMode>);
