// Who am I here, what may I, and my own password.
import { useState } from "react";
import { passwordMin } from "./access";
import type { Api } from "./api";
import { Properties } from "./drawer";
import type { Who } from "./model";
import { useUnsaved } from "./place";
import { Outcome, useSaving } from "./saving";
import { SecondFactor } from "./second_factor";
import { RoleMeanings } from "./users_page";

function OwnPassword({ api, leave }: { api: Api; leave: () => void }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const saving = useSaving();
  useUnsaved(old !== "" || fresh !== "");
  const different = again !== "" && fresh !== again;
  const change = async () => {
    if (await saving.run(() => api.send("PUT", "/api/v1/session/password", { old, new: fresh }), "")) leave();
  };
  return (
    <form className="bar" onSubmit={(event) => { event.preventDefault(); if (fresh === again) void change(); }}>
      <label className="filter">
        <span>Present password</span>
        <input type="password" required autoComplete="current-password" value={old} onChange={(event) => setOld(event.target.value)} />
      </label>
      <label className="filter">
        <span>New password, at least {passwordMin} characters</span>
        <input type="password" required minLength={passwordMin} maxLength={256} autoComplete="new-password" value={fresh} onChange={(event) => setFresh(event.target.value)} />
      </label>
      <label className="filter">
        <span>The new one again</span>
        <input type="password" required autoComplete="new-password" aria-invalid={different} value={again} onChange={(event) => setAgain(event.target.value)} />
      </label>
      <button type="submit" className="primary" disabled={saving.busy || different}>Change it</button>
      {different && <p role="alert" className="note error">The two are not the same.</p>}
      <Outcome of={saving} />
    </form>
  );
}

export function AccountPage({ api, who, leave }: { api: Api; who: Who; leave: () => void }) {
  return (
    <main>
      <section className="card">
        <h2>Your account</h2>
        <Properties
          values={[
            ["Name", <span key="n" className="device">{who.name}</span>],
            ["Role", who.role],
            ["Signed in by", api.bySession ? "name and password; a session ends after 12 hours" : "an access token, in this tab only"],
            ["Server", `Fieldwatch ${who.version}`],
          ]}
        />
        <p className="bar"><button type="button" onClick={leave}>Sign out here</button></p>
      </section>
      <section className="card">
        <h2>Roles</h2>
        <RoleMeanings />
      </section>
      <section className="card">
        <h2>Password</h2>
        {api.bySession ? (
          <>
            <p className="quiet">When it is changed, all your sessions end, and you sign in with the new one.</p>
            <OwnPassword api={api} leave={leave} />
          </>
        ) : (
          <p className="quiet">A token has no password. Sign in with a name to change yours.</p>
        )}
      </section>
      {api.bySession && <SecondFactor api={api} leave={leave} />}
    </main>
  );
}
