// One's own second factor: set up with an authenticator, confirmed by a code of it, taken away with password and code.
import { useState } from "react";
import type { Api } from "./api";
import { useUnsaved } from "./place";
import { qrCode } from "./qr_code";
import { Shown, useReading } from "./reading";
import { Outcome, useSaving } from "./saving";
import { CopyButton, Secret } from "./secret";

interface State {
  secondFactor: boolean;
  recoveryCodes: number;
}
interface Begun {
  secret: string;
  uri: string;
}

const quietModules = 4; // ISO/IEC 18004: as much light around it

/** Dark on light in either theme: readers want it so. */
function QrCode({ text, label }: { text: string; label: string }) {
  const code = qrCode(text);
  if (code === null) return null;
  const size = code.length + 2 * quietModules;
  const path = code.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + quietModules} ${y + quietModules}h1v1h-1z` : ""))).join("");
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function PasswordField({ value, change }: { value: string; change: (to: string) => void }) {
  return (
    <label className="filter">
      <span>Your password</span>
      <input type="password" required maxLength={256} autoComplete="current-password" value={value} onChange={(event) => change(event.target.value)} />
    </label>
  );
}

function CodeField({ label, value, change }: { label: string; value: string; change: (to: string) => void }) {
  return (
    <label className="filter">
      <span>{label}</span>
      <input required maxLength={32} autoComplete="one-time-code" spellCheck={false} autoCapitalize="none" value={value} onChange={(event) => change(event.target.value)} />
    </label>
  );
}

/** Shown once: whoever leaves without them is asked. */
function RecoveryCodes({ codes, done }: { codes: string[]; done: () => void }) {
  useUnsaved(true);
  return (
    <div className="note" role="status">
      <p><strong>It is on.</strong> These recovery codes let you in where the authenticator is lost, each of them once. They are shown this once: print them, or keep them where your passwords are.</p>
      <ul className="codes device" aria-label="Recovery codes">{codes.map((code) => <li key={code}>{code}</li>)}</ul>
      <p className="bar">
        <CopyButton text={codes.join("\n")} />
        <button type="button" className="primary" onClick={done}>I have them</button>
      </p>
    </div>
  );
}

function SetUp({ api, done }: { api: Api; done: () => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [begun, setBegun] = useState<Begun | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const saving = useSaving();
  const begin = () =>
    saving.run(async () => {
      setBegun(await api.send<Begun>("POST", "/api/v1/session/second-factor", { password }));
      setPassword("");
    }, "");
  const confirm = () =>
    saving.run(async () => {
      const answer = await api.send<{ recoveryCodes: string[] }>("POST", "/api/v1/session/second-factor/confirm", { code: code.trim() });
      setCodes(answer?.recoveryCodes ?? []);
    }, "");
  if (codes !== null) return <RecoveryCodes codes={codes} done={done} />;
  if (begun === null) {
    return (
      <>
        <p className="quiet">Off. With it, a stolen password is not enough: signing in also wants six digits of an authenticator app on your telephone.</p>
        <form className="bar" onSubmit={(event) => { event.preventDefault(); void begin(); }}>
          <PasswordField value={password} change={setPassword} />
          <button type="submit" disabled={saving.busy}>Set it up</button>
          <Outcome of={saving} />
        </form>
      </>
    );
  }
  return (
    <div className="second-factor">
      <QrCode text={begun.uri} label="QR code for the authenticator; the same secret is beside it as text" />
      <form className="editor" onSubmit={(event) => { event.preventDefault(); void confirm(); }}>
        <p>Scan this with an authenticator app, or type the secret into it. Then type the six digits that it shows.</p>
        <Secret label="Secret" value={begun.secret} />
        <div className="bar">
          <CodeField label="Code" value={code} change={setCode} />
          <button type="submit" className="primary" disabled={saving.busy}>Confirm</button>
          <button type="button" onClick={() => setBegun(null)}>Cancel</button>
        </div>
        <Outcome of={saving} />
      </form>
    </div>
  );
}

function TakeAway({ api, leave }: { api: Api; leave: () => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const saving = useSaving();
  const remove = async () => {
    if (await saving.run(() => api.send("POST", "/api/v1/session/second-factor/remove", { password, code: code.trim() }), "")) leave();
  };
  return (
    <details>
      <summary>Take it away</summary>
      <p className="quiet">All your sessions end, and you sign in with the password alone. To move to another telephone, take it away and set it up again.</p>
      <form className="bar" onSubmit={(event) => { event.preventDefault(); void remove(); }}>
        <PasswordField value={password} change={setPassword} />
        <CodeField label="Code, or a recovery code" value={code} change={setCode} />
        <button type="submit" className="danger" disabled={saving.busy}>Take it away</button>
        <Outcome of={saving} />
      </form>
    </details>
  );
}

export function SecondFactor({ api, leave }: { api: Api; leave: () => void }) {
  const reading = useReading((signal) => api.get<State>("/api/v1/session", signal), [api]);
  return (
    <section className="card">
      <h2>Second factor</h2>
      <Shown of={reading}>
        {(state) =>
          state.secondFactor ? (
            <>
              <p>On. {state.recoveryCodes === 1 ? "One recovery code is" : `${state.recoveryCodes} recovery codes are`} left{state.recoveryCodes < 3 && ": take it away and set it up again for new ones"}.</p>
              <TakeAway api={api} leave={leave} />
            </>
          ) : (
            <SetUp api={api} done={reading.again} />
          )
        }
      </Shown>
    </section>
  );
}
