// People who may sign in: who they are, what they may, and a way to make another.
import { useState } from "react";
import { passwordMin, roleMeanings, type User } from "./access";
import type { Api } from "./api";
import { FilterBar, Search } from "./filters";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import { type Role, roles } from "./model";
import { type Filters, type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { Outcome, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

export function RoleChoice({ role, disabled = false, change }: { role: Role; disabled?: boolean; change: (role: Role) => void }) {
  return (
    <label className="filter">
      <span>Role</span>
      <select value={role} disabled={disabled} onChange={(event) => change(event.target.value as Role)}>
        {roles.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </label>
  );
}

export function RoleMeanings() {
  return (
    <dl className="properties roles">
      {roles.map((role) => (
        <div key={role}>
          <dt>{role}</dt>
          <dd>{roleMeanings[role]}</dd>
        </div>
      ))}
    </dl>
  );
}

function NewUser({ api, made }: { api: Api; made: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const [password, setPassword] = useState("");
  const saving = useSaving();
  useUnsaved(name !== "" || password !== "");
  const make = async () => {
    const of = name.trim();
    if (!(await saving.run(() => api.send("PUT", `/api/v1/users/${encodeURIComponent(of)}`, { role, password }), `${of} may sign in.`))) return;
    setName("");
    setPassword("");
    made();
  };
  return (
    <section className="card">
      <h2>A new user</h2>
      <form className="bar" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <label className="filter">
          <span>User name</span>
          <input value={name} required maxLength={64} pattern="[A-Za-z0-9._@\-]+" title="Letters, digits and . _ @ -" spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setName(event.target.value)} />
        </label>
        <RoleChoice role={role} change={setRole} />
        <label className="filter">
          <span>First password, at least {passwordMin} characters</span>
          <input type="password" value={password} required minLength={passwordMin} maxLength={256} autoComplete="new-password" onChange={(event) => setPassword(event.target.value)} />
        </label>
        <button type="submit" className="primary" disabled={saving.busy}>Add the user</button>
      </form>
      <Outcome of={saving} />
      <RoleMeanings />
    </section>
  );
}

interface Props {
  api: Api;
  chosenHub: string | null;
  filters: Filters;
  now: number;
  go: Go;
}

export function UsersPage({ api, chosenHub, filters, now, go }: Props) {
  const reading = useReading(async (signal) => (await api.get<{ value: User[] }>("/api/v1/users", signal)).value, [api]);
  const part = (filters["name"] ?? "").toLowerCase();
  const shown = (reading.value ?? []).filter((user) => `${user.name} ${user.role}`.toLowerCase().includes(part));
  const columns: Column<User>[] = [
    { title: "User", kind: "device", cell: (user) => <PlaceLink to={{ at: "user", id: user.name }} hub={chosenHub} go={go}>{visible(user.name)}</PlaceLink> },
    { title: "Role", cell: (user) => user.role },
    { title: "State", cell: (user) => <span className={`state ${user.enabled ? "Reporting" : "off"}`}>{user.enabled ? "Enabled" : "Disabled"}</span> },
    { title: "Second factor", cell: (user) => (user.secondFactor ? "on" : <span className="quiet">none</span>) },
    { title: "Made", cell: (user) => <Time iso={user.created} now={now} relative /> },
    { title: "Password set", cell: (user) => <Time iso={user.passwordChanged} now={now} relative /> },
  ];
  return (
    <main>
      <section className="card">
        <h2>Users</h2>
        <FilterBar note={reading.value === null ? "" : `${shown.length} of ${reading.value.length}`}>
          <Search label="Name or role" name="name" filters={filters} change={(next) => go({ at: "users", filters: next })} />
        </FilterBar>
        <Shown of={reading} isEmpty={() => shown.length === 0} empty={part === "" ? "Nobody can sign in with a password yet: you are here by a token. Add the first user below." : "No user is like this."}>
          {() => <Table label="People" className="users" columns={columns} rows={shown} keyOf={(user) => user.name} open={(user) => go({ at: "user", id: user.name })} />}
        </Shown>
      </section>
      <NewUser api={api} made={reading.again} />
    </main>
  );
}
