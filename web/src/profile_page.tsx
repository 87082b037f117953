// The profile of one class of devices: what it is, what left it, and the forms that others read.
import { useState } from "react";
import type { Api } from "./api";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import type { Filters, Go } from "./place";
import { acceptBody, classNumbers, type Connection, type Drift, hoursText, partsOf, type Profile, profileAddress, type Program } from "./profiles";
import { Shown, useReading } from "./reading";
import { download } from "./rows";
import { Outcome, type Saving, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";

const counted = (count: number, one: string) => `${count.toLocaleString()} ${one}${count === 1 ? "" : "s"}`;

function DriftOf({ drift }: { drift: Drift }) {
  if (drift.added.length + drift.gone.length === 0) return <p>What the devices do is what was accepted.</p>;
  return (
    <>
      <p className="quiet">+ happens and is not accepted; − is accepted and happens no more.</p>
      <pre className="diff" tabIndex={0} aria-label="What differs from the accepted profile">
        {drift.added.map((line) => <span key={`+${line}`} className="added">+ {visible(line)}{"\n"}</span>)}
        {drift.gone.map((line) => <span key={`-${line}`} className="removed">− {visible(line)}{"\n"}</span>)}
      </pre>
    </>
  );
}

function Hours({ hours }: { hours: readonly number[] }) {
  const most = Math.max(1, ...hours);
  return (
    <figure className="hours">
      <svg viewBox="0 0 240 40" role="img" aria-label={hoursText(hours)} preserveAspectRatio="none">
        {hours.map((count, hour) => {
          const height = count === 0 ? 0 : Math.max(1, (38 * count) / most);
          return <rect key={hour} x={hour * 10 + 1} width={8} y={40 - height} height={height}><title>{`${hour} o'clock UTC: ${count.toLocaleString()}`}</title></rect>;
        })}
      </svg>
      <figcaption className="quiet">0 to 23 o'clock, UTC. {hoursText(hours)}</figcaption>
    </figure>
  );
}

function connectionColumns(now: number): Column<Connection>[] {
  return [
    { title: "Way", cell: (one) => partsOf(one.line).way },
    { title: "Service", cell: (one) => visible(partsOf(one.line).service) },
    { title: "With whom", kind: "device", cell: (one) => visible(partsOf(one.line).whom) },
    { title: "By", kind: "device", cell: (one) => visible(one.programs.join(", ")) },
    { title: "Devices", kind: "number", cell: (one) => one.devices.toLocaleString() },
    { title: "Times", kind: "number", cell: (one) => one.count.toLocaleString() },
    { title: "Last", cell: (one) => <Time iso={one.last} now={now} relative /> },
  ];
}

function programColumns(now: number): Column<Program>[] {
  return [
    { title: "Program", kind: "device", cell: (one) => visible(one.path) },
    { title: "Users", kind: "device", cell: (one) => visible(one.users.join(", ")) },
    { title: "Devices", kind: "number", cell: (one) => one.devices.toLocaleString() },
    { title: "Times", kind: "number", cell: (one) => one.count.toLocaleString() },
    { title: "Last", cell: (one) => <Time iso={one.last} now={now} relative /> },
  ];
}

/** Which devices, and how the profile is made of their rows; kept in the address. */
function ClassForm({ profile, filters, look }: { profile: Profile; filters: Filters; look: (filters: Filters) => void }) {
  const there = profile.accepted;
  const [devices, setDevices] = useState(filters["devices"] ?? profile.devices.join(", "));
  const [numbers, setNumbers] = useState<Filters>(() => Object.fromEntries(classNumbers.map(([key]) => [key, filters[key] ?? String(there?.[key] ?? "")])));
  return (
    <form className="bar" onSubmit={(event) => { event.preventDefault(); look({ devices, ...numbers }); }}>
      <label className="filter">
        <span>Devices (ids, or camera-*)</span>
        <input value={devices} required spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setDevices(event.target.value)} />
      </label>
      {classNumbers.map(([key, title, most]) => (
        <label className="filter" key={key}>
          <span>{title}</span>
          <input type="number" min={1} max={most} value={numbers[key] ?? ""} onChange={(event) => setNumbers({ ...numbers, [key]: event.target.value })} />
        </label>
      ))}
      <button type="submit">Look</button>
    </form>
  );
}

const files = [
  ["MUD file", "/mud", {}, ".mud.json"],
  ["Packet filter that logs", "/nftables", {}, ".nft"],
  ["Packet filter that drops", "/nftables", { enforce: "true" }, "-enforce.nft"],
  ["Allow-list", "/allow-list", {}, "-allow-list.json"],
] as const;

function Files({ api, hub, id, filters, saving }: { api: Api; hub: string; id: string; filters: Filters; saving: Saving }) {
  const fetch = (form: string, more: Record<string, string>, suffix: string) =>
    saving.run(async () => download(await api.text(profileAddress(hub, id, filters, form, more)), `${id}${suffix}`, "text/plain"), "");
  return (
    <div className="bar">
      {files.map(([title, form, more, suffix]) => (
        <button type="button" key={title} disabled={saving.busy} onClick={() => void fetch(form, more, suffix)}>{title}</button>
      ))}
    </div>
  );
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  id: string;
  filters: Filters;
  now: number;
  mayChange: boolean;
  go: Go;
}

export function ProfilePage({ api, hub, chosenHub, id, filters, now, mayChange, go }: Props) {
  const address = profileAddress(hub, id, filters);
  const reading = useReading((signal) => api.get<Profile>(address, signal), [api, address]);
  const saving = useSaving();
  const plain = profileAddress(hub, id, {});
  const profile = reading.value;
  const accept = async () => {
    const body = { ...(profile && { devices: profile.devices }), ...acceptBody(filters) };
    if (await saving.run(() => api.send("PUT", plain, body), "Accepted. From now on what is not in it is an alert.")) reading.again();
  };
  const forget = async () => {
    if (await saving.run(() => api.send("DELETE", plain), "Forgotten. Nothing watches the class any more.")) reading.again();
  };
  return (
    <main>
      <section className="card">
        <div className="bar">
          <h2><PlaceLink to={{ at: "profiles", filters: {} }} hub={chosenHub} go={go}>Profiles</PlaceLink> / <span className="device">{visible(id)}</span></h2>
          {mayChange && profile !== null && <Sure text={profile.accepted ? "Accept anew" : "Accept"} question="Is all of it right? Accept" busy={saving.busy} act={() => void accept()} />}
          {mayChange && profile?.accepted && <Sure text="Forget" question="Forget what was accepted?" busy={saving.busy} act={() => void forget()} />}
        </div>
        <Outcome of={saving} />
        <Shown of={reading}>
          {(shown) => (
            <>
              <p className="facts">
                <span>{counted(shown.deviceCount, "device")}</span>
                <span><Time iso={shown.from} now={now} /> to <Time iso={shown.to} now={now} /></span>
                {shown.accepted ? (
                  <span>accepted by {visible(shown.accepted.author)} <Time iso={shown.accepted.accepted} now={now} relative />, watched by <PlaceLink to={{ at: "scheduledRule", id: shown.accepted.rule }} hub={chosenHub} go={go}>{shown.accepted.rule}</PlaceLink></span>
                ) : (
                  <span>not accepted: nothing watches it</span>
                )}
              </p>
              {shown.truncated && <p role="status" className="note">The class has more connections or programs than are looked at: the rarest are missing. Name fewer devices, or ask for more devices that must do the same.</p>}
              <ClassForm key={address + String(shown.accepted?.version)} profile={shown} filters={filters} look={(next) => go({ at: "profile", id, filters: next })} />
              {shown.drift && <><h3>Drift</h3><DriftOf drift={shown.drift} /></>}
              <h3>Whom they talk to</h3>
              {shown.connections.length === 0 ? <p className="quiet">They had no connection in this time.</p> : <Table label="Connections" columns={connectionColumns(now)} rows={shown.connections} keyOf={(one) => one.line} />}
              <h3>What runs on them</h3>
              {shown.programs.length === 0 ? <p className="quiet">No program was seen in this time.</p> : <Table label="Programs" columns={programColumns(now)} rows={shown.programs} keyOf={(one) => one.path} />}
              <h3>When</h3>
              <Hours hours={shown.hours} />
              <h3>Which devices</h3>
              <p>
                {shown.members.map((one) => <PlaceLink key={one} to={{ at: "device", id: one }} hub={chosenHub} go={go} className="chip">{visible(one)}</PlaceLink>)}
                {shown.deviceCount > shown.members.length && <span className="quiet"> and {shown.deviceCount - shown.members.length} more</span>}
              </p>
              <h3>For others</h3>
              {!mayChange && <p className="quiet">Accepting and forgetting need the role administrator.</p>}
              <Files api={api} hub={hub} id={id} filters={filters} saving={saving} />
            </>
          )}
        </Shown>
      </section>
    </main>
  );
}
