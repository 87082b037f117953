// One user: what they may, whether they may, a new password for who forgot theirs, and the end of it.
import { useState } from "react";
import { passwordMin, type User } from "./access";
import type { Api } from "./api";
import { Properties } from "./drawer";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import { type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, type Saving, Sure, useSaving } from "./saving";
import { ApiError } from "./trouble";
import { RoleChoice, RoleMeanings } from "./users_page";

interface FormProps {
  user: User;
  own: boolean;
  saving: Saving;
  change: (what: Partial<User> & { password?: string }, said: string) => Promise<boolean>;
}

function Rights({ user, own, saving, change }: FormProps) {
  const [role, setRole] = useState(user.role);
  useUnsaved(role !== user.role);
  return (
    <>
      {own && <p className="quiet">This is you: another administrator has to change your role, disable or remove you.</p>}
      <form className="bar" onSubmit={(event) => { event.preventDefault(); void change({ role }, `${user.name} is ${role} now, and has to sign in again.`); }}>
        <RoleChoice role={role} disabled={own} change={setRole} />
        <button type="submit" className="primary" disabled={own || saving.busy || role === user.role}>Set the role</button>
        <Sure
          text={user.enabled ? "Disable" : "Enable"}
          question={user.enabled ? `Disable ${user.name}? Their sessions end.` : `Enable ${user.name}?`}
          busy={saving.busy || own}
          act={() => void change({ enabled: !user.enabled }, user.enabled ? `${user.name} may not sign in any more.` : `${user.name} may sign in again.`)}
        />
      </form>
      <RoleMeanings />
    </>
  );
}

function NewPassword({ user, saving, change }: FormProps) {
  const [password, setPassword] = useState("");
  useUnsaved(password !== "");
  const set = async () => {
    if (await change({ password }, `The password of ${user.name} is set; their sessions have ended.`)) setPassword("");
  };
  return (
    <form className="bar" onSubmit={(event) => { event.preventDefault(); void set(); }}>
      <label className="filter">
        <span>New password, at least {passwordMin} characters</span>
        <input type="password" value={password} required minLength={passwordMin} maxLength={256} autoComplete="new-password" onChange={(event) => setPassword(event.target.value)} />
      </label>
      <button type="submit" disabled={saving.busy}>Set the password</button>
    </form>
  );
}

interface Props {
  api: Api;
  chosenHub: string | null;
  id: string;
  self: string | null; // the name of who looks, when it is a user
  now: number;
  go: Go;
}

export function UserPage({ api, chosenHub, id, self, now, go }: Props) {
  const address = `/api/v1/users/${encodeURIComponent(id)}`;
  const reading = useReading(async (signal) => {
    const user = (await api.get<{ value: User[] }>("/api/v1/users", signal)).value.find((one) => one.name === id);
    if (!user) throw new ApiError(404, `There is no user ${id}.`);
    return user;
  }, [api, id]);
  const saving = useSaving();
  const change: FormProps["change"] = async (what, said) => {
    const done = await saving.run(() => api.send("PATCH", address, what), said);
    if (done) reading.again();
    return done;
  };
  const remove = async () => {
    if (await saving.run(() => api.send("DELETE", address), "")) go({ at: "users", filters: {} });
  };
  const forget = async () => {
    if (await saving.run(() => api.send("DELETE", `${address}/second-factor`), `${id} signs in with the password alone until a new one is set up.`)) reading.again();
  };
  const own = self === id;
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "users", filters: {} }} hub={chosenHub} go={go}>Users</PlaceLink> / <span className="device">{id}</span></h2>
          {reading.value && <Sure text="Remove the user" question={`Remove ${id} for good?`} busy={saving.busy || own} act={() => void remove()} />}
        </div>
        <Outcome of={saving} />
        <Shown of={reading}>
          {(user) => (
            <Properties
              values={[
                ["State", <span key="s" className={`state ${user.enabled ? "Reporting" : "off"}`}>{user.enabled ? "Enabled" : "Disabled"}</span>],
                ["Role", user.role],
                ["Made", <Time key="m" iso={user.created} now={now} />],
                ["Password set", <Time key="p" iso={user.passwordChanged} now={now} />],
                ["What they did", <PlaceLink key="a" to={{ at: "audit", filters: { who: id } }} hub={chosenHub} go={go}>in the audit log</PlaceLink>],
              ]}
            />
          )}
        </Shown>
      </section>
      {reading.value && (
        <>
          <section className="card">
            <h2>What they may</h2>
            <Rights key={`${reading.value.role} ${reading.value.enabled}`} user={reading.value} own={own} saving={saving} change={change} />
          </section>
          {reading.value.secondFactor && (
            <section className="card">
              <h2>Second factor</h2>
              <p className="quiet">It is on. Where the telephone and the recovery codes are lost, take it away; make sure first that it is really {id} who asks.</p>
              <p className="bar"><Sure text="Take it away" question={`Take the second factor of ${id} away?`} busy={saving.busy} act={() => void forget()} /></p>
            </section>
          )}
          <section className="card">
            <h2>Password</h2>
            {own ? <p className="quiet">Yours is changed at <PlaceLink to={{ at: "account", filters: {} }} hub={chosenHub} go={go}>Your account</PlaceLink>.</p> : <NewPassword user={reading.value} own={own} saving={saving} change={change} />}
          </section>
        </>
      )}
    </main>
  );
}
