// What is standard for classes of devices: which profiles somebody accepted, and a way to look at another class.
import { useState } from "react";
import type { Api } from "./api";
import { Expectations } from "./expectations";
import { FilterBar, Search } from "./filters";
import { PlaceLink } from "./link";
import { Time } from "./marks";
import type { Filters, Go } from "./place";
import { type AcceptedProfile, nameRule } from "./profiles";
import { Shown, useReading } from "./reading";
import { type Column, Table } from "./table";
import { visible } from "./visible";

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  filters: Filters;
  now: number;
  mayChange: boolean;
  go: Go;
}

/** A class that nobody accepted is shown all the same: its name, and which devices it is of. */
function LookAt({ go }: { go: Go }) {
  const [name, setName] = useState("");
  const [devices, setDevices] = useState("");
  return (
    <form className="bar" onSubmit={(event) => { event.preventDefault(); go({ at: "profile", id: name.trim(), filters: { devices: devices.trim() } }); }}>
      <label className="filter">
        <span>Name of a class, or a device</span>
        <input value={name} required pattern={nameRule} title="1 to 56 letters, digits, - and _" spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="filter">
        <span>Its devices (ids, or camera-*)</span>
        <input value={devices} spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => setDevices(event.target.value)} />
      </label>
      <button type="submit">Look at it</button>
    </form>
  );
}

export function ProfilesPage({ api, hub, chosenHub, filters, now, mayChange, go }: Props) {
  const address = `/api/v1/hubs/${encodeURIComponent(hub)}/profiles`;
  const reading = useReading(async (signal) => (await api.get<{ value: AcceptedProfile[] }>(address, signal)).value, [api, address]);
  const part = (filters["name"] ?? "").toLowerCase();
  const shown = (reading.value ?? []).filter((one) => `${one.name} ${one.devices.join(" ")}`.toLowerCase().includes(part));
  const columns: Column<AcceptedProfile>[] = [
    { title: "Class", kind: "text", cell: (one) => <PlaceLink to={{ at: "profile", id: one.name, filters: {} }} hub={chosenHub} go={go}>{one.name}</PlaceLink> },
    { title: "Devices", kind: "device", cell: (one) => visible(one.devices.join(", ")) },
    { title: "Connections allowed", kind: "number", cell: (one) => one.lines.length.toLocaleString() },
    { title: "Accepted", cell: (one) => <Time iso={one.accepted} now={now} relative /> },
    { title: "By", kind: "quiet", cell: (one) => visible(one.author) },
    { title: "Watched by", cell: (one) => <PlaceLink to={{ at: "scheduledRule", id: one.rule }} hub={chosenHub} go={go}>{one.rule}</PlaceLink> },
  ];
  return (
    <main>
      <section className="card">
        <div className="bar"><h2>Profiles</h2></div>
        <p className="quiet">
          What is standard for a class of devices: whom they talk to, what runs on them and when, computed from what they did. What somebody has accepted is
          watched: a connection that is not in it is an alert.
        </p>
        <FilterBar note={reading.value === null ? "" : `${shown.length} of ${reading.value.length} accepted`}>
          <Search label="Class or device" name="name" filters={filters} change={(next) => go({ at: "profiles", filters: next })} />
        </FilterBar>
        <Shown of={reading} isEmpty={() => shown.length === 0} empty={part === "" ? `No profile is accepted on ${hub} yet. Look at a class of devices, and accept what is right.` : "No profile is like this."}>
          {() => <Table label="Accepted profiles" columns={columns} rows={shown} keyOf={(one) => one.name} open={(one) => go({ at: "profile", id: one.name, filters: {} })} />}
        </Shown>
        <LookAt go={go} />
      </section>
      <Expectations api={api} hub={hub} mayChange={mayChange} now={now} />
    </main>
  );
}
