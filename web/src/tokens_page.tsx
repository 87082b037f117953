// Access tokens of programs: which there are, a new one, which is shown once, and the end of one.
import { useState } from "react";
import { type AccessToken, expiryOf, isOver, lifetimes } from "./access";
import type { Api } from "./api";
import { FilterBar, Search } from "./filters";
import { Time } from "./marks";
import { type Role, roles } from "./model";
import { type Filters, type Go, useUnsaved } from "./place";
import { Shown, useReading } from "./reading";
import { CopyButton, Secret } from "./secret";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

const tokenName = "[^\\/]*[^\\/.][^\\/]*"; // part of an address, in which dots alone are steps up

/** What a program may be: it may also hand in records of a hub and nothing else. */
const tokenRoles = ["forwarder", ...roles] as const;
type TokenRole = Role | "forwarder";

/** The token itself: it is nowhere else, so going away asks first. */
function Fresh({ name, token, done }: { name: string; token: string; done: () => void }) {
  const [copied, setCopied] = useState(false);
  useUnsaved(!copied);
  return (
    <div className="note" role="status">
      <p>The token <strong>{name}</strong>. It is shown this once: keep it where the program finds it, and nobody else.</p>
      <Secret label="Token" value={token} />
      <p className="bar">
        <CopyButton text={token} copied={() => setCopied(true)} />
        <button type="button" onClick={done}>I have it</button>
      </p>
    </div>
  );
}

function NewToken({ api, hubs, made }: { api: Api; hubs: readonly string[]; made: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<TokenRole>("reader");
  const [days, setDays] = useState("90");
  const [only, setOnly] = useState<readonly string[]>([]);
  const [fresh, setFresh] = useState<{ name: string; token: string } | null>(null);
  const saving = useSaving();
  const make = async () => {
    const of = name.trim();
    const expires = expiryOf(days, Date.now());
    await saving.run(async () => {
      const answer = await api.send<{ token: string }>("PUT", `/api/v1/tokens/${encodeURIComponent(of)}`, { role, ...(expires && { expires }), ...(only.length > 0 && { hubs: only }) });
      setFresh(answer && { name: of, token: answer.token });
      setName("");
      made();
    }, "");
  };
  return (
    <section className="card">
      <h2>A new token</h2>
      {fresh && <Fresh key={fresh.name} {...fresh} done={() => setFresh(null)} />}
      <form className="bar" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <label className="filter">
          <span>Name of the program</span>
          <input value={name} required maxLength={64} pattern={tokenName} title="Anything but a slash" spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setName(event.target.value)} />
        </label>
        <label className="filter">
          <span>Role</span>
          <select value={role} onChange={(event) => setRole(event.target.value as TokenRole)}>
            {tokenRoles.map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
        <label className="filter">
          <span>Good for</span>
          <select value={days} onChange={(event) => setDays(event.target.value)}>
            {lifetimes.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
          </select>
        </label>
        {hubs.length > 0 && (
          <fieldset className="filter">
            <legend>Hubs; none: all of them, and the server itself</legend>
            {hubs.map((hub) => (
              <label className="switch" key={hub}>
                <input type="checkbox" checked={only.includes(hub)} onChange={(event) => setOnly(event.target.checked ? [...only, hub] : only.filter((one) => one !== hub))} />
                {hub}
              </label>
            ))}
          </fieldset>
        )}
        <button type="submit" className="primary" disabled={saving.busy || fresh !== null}>Make the token</button>
      </form>
      <Outcome of={saving} />
    </section>
  );
}

interface Props {
  api: Api;
  hubs: readonly string[];
  filters: Filters;
  self: string | null; // the name of the token that looks, when it is one
  now: number;
  go: Go;
}

export function TokensPage({ api, hubs, filters, self, now, go }: Props) {
  const reading = useReading(async (signal) => (await api.get<{ value: AccessToken[] }>("/api/v1/tokens", signal)).value, [api]);
  const saving = useSaving();
  const part = (filters["name"] ?? "").toLowerCase();
  const shown = (reading.value ?? []).filter((token) => `${token.name} ${token.role}`.toLowerCase().includes(part));
  const revoke = async (name: string) => {
    if (await saving.run(() => api.send("DELETE", `/api/v1/tokens/${encodeURIComponent(name)}`), `${name} is worth nothing any more.`)) reading.again();
  };
  const columns: Column<AccessToken>[] = [
    { title: "Token", kind: "device", cell: (token) => <>{visible(token.name)}{token.name === self && <span className="new">yours now</span>}</> },
    { title: "Role", cell: (token) => token.role },
    { title: "Hubs", cell: (token) => (token.hubs.length === 0 ? <span className="quiet">all</span> : token.hubs.join(", ")) },
    {
      title: "Good until",
      cell: (token) => (token.expires === null ? <span className="quiet">without end</span> : isOver(token, now) ? <span className="state off">over since <Time iso={token.expires} now={now} /></span> : <Time iso={token.expires} now={now} />),
    },
    {
      title: "Revoke", unseen: true,
      cell: (token) => <Sure text="Revoke" question={token.name === self ? `Revoke ${token.name}? You are out then.` : `Revoke ${token.name}?`} busy={saving.busy} act={() => void revoke(token.name)} />,
    },
  ];
  return (
    <main>
      <section className="card">
        <h2>Tokens</h2>
        <p className="quiet">For programs. A token may what its role may, until it ends; a forwarder hands in records of a hub, and may nothing else. The server keeps only what it needs to know it again.</p>
        <FilterBar note={reading.value === null ? "" : `${shown.length} of ${reading.value.length}`}>
          <Search label="Name or role" name="name" filters={filters} change={(next) => go({ at: "tokens", filters: next })} />
        </FilterBar>
        <Outcome of={saving} />
        <Shown of={reading} isEmpty={() => shown.length === 0} empty="No token is like this.">
          {() => <Table label="Access of programs" className="tokens" columns={columns} rows={shown} keyOf={(token) => token.name} />}
        </Shown>
      </section>
      <NewToken api={api} hubs={hubs} made={reading.again} />
    </main>
  );
}
