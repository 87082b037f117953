import { StrictMode, useCallback, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { Api } from "./api";
import { Frame } from "./frame";
import "./style.css";
import { forgetToken, keepToken, takeToken } from "./token";

function SignIn({ refused, enter }: { refused: boolean; enter: (token: string) => void }) {
  const [token, setToken] = useState("");
  return (
    <main className="sign-in card">
      <h1>
        <img src="/icon.svg" alt="" width="28" height="28" /> Fieldwatch
      </h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== "") enter(token.trim());
        }}
      >
        <label htmlFor="token">Access token</label>
        <input id="token" type="password" autoComplete="off" spellCheck={false} autoFocus value={token} onChange={(event) => setToken(event.target.value)} />
        {refused && <p role="alert" className="note error">That token is not known here, or has expired.</p>}
        <button type="submit">Sign in</button>
        <p className="quiet">./start prints an address that signs you in; fieldwatch token makes more.</p>
      </form>
    </main>
  );
}

function App() {
  const [token, setToken] = useState(takeToken);
  const [refused, setRefused] = useState(false);
  const api = useMemo(() => (token === null ? null : new Api(token)), [token]);
  const leave = useCallback(() => {
    forgetToken();
    setToken(null);
  }, []);
  const onRefused = useCallback(() => {
    setRefused(true);
    leave();
  }, [leave]);
  const enter = (fresh: string) => {
    keepToken(fresh);
    setRefused(false);
    setToken(fresh);
  };
  return api === null ? <SignIn refused={refused} enter={enter} /> : <Frame api={api} onRefused={onRefused} leave={leave} />;
}

const place = document.getElementById("page");
if (place) createRoot(place).render(<StrictMode><App /></StrictMode>);
