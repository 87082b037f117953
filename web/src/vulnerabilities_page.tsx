// What is vulnerable in the fleet, gravest first; and the advisories that packages are matched with.
import type { Api } from "./api";
import { FileImport } from "./file_import";
import { Choice, FilterBar, Search } from "./filters";
import { PlaceLink } from "./link";
import type { Filters, Go } from "./place";
import { bytesText } from "./prometheus";
import { Shown, useFollowing, useReading } from "./reading";
import { Outcome, Sure, useSaving } from "./saving";
import { type Column, Table } from "./table";
import { visible } from "./visible";
import { type AdvisoryFile, type AdvisoryFiles, chosenVulnerabilities, percentText, scoreText, type Vulnerability } from "./vulnerabilities";

const shownMax = 1_000;
const componentsNamed = 3;

export const Exploited = () => <span className="state Silent">Exploited in the wild</span>;

function Advisories({ api, mayChange, changed }: { api: Api; mayChange: boolean; changed: () => void }) {
  const reading = useReading((signal) => api.get<AdvisoryFiles>("/api/v1/advisories", signal), [api]);
  const saving = useSaving();
  const again = useFollowing(() => {
    reading.again();
    changed();
  });
  const remove = async (name: string) => {
    if (await saving.run(() => api.send("DELETE", `/api/v1/advisories/${encodeURIComponent(name)}`), `${name} is removed. Devices are judged again.`)) again();
  };
  const columns: Column<AdvisoryFile>[] = [
    { title: "File", kind: "device", cell: (one) => visible(one.name) },
    { title: "Form", cell: (one) => one.format },
    { title: "Advisories", kind: "number", cell: (one) => one.advisories.toLocaleString() },
    { title: "Known exploited", kind: "number", cell: (one) => one.exploited.toLocaleString() },
    { title: "Probabilities", kind: "number", cell: (one) => one.probabilities.toLocaleString() },
    { title: "Skipped", kind: "number", cell: (one) => one.skipped.toLocaleString() },
    {
      title: "Left out", kind: "text",
      cell: (one) =>
        one.bad.length === 0 ? <span className="quiet">none</span> : (
          <details>
            <summary>{one.bad.length.toLocaleString()} left out</summary>
            <ul className="plain">{one.bad.map((bad, index) => <li key={index}>{visible(bad.entry)}: {visible(bad.why)}</li>)}</ul>
          </details>
        ),
    },
    ...(mayChange ? [{ title: "Remove", unseen: true, cell: (one: AdvisoryFile) => <Sure text="Remove" question={`Remove ${one.name}?`} busy={saving.busy} act={() => void remove(one.name)} /> }] : []),
  ];
  return (
    <section className="card">
      <h2>Advisories</h2>
      <p className="quiet">What agents report as installed is matched with these: OSV, a distribution's tracker, CSAF with VEX, the catalogue of known exploited vulnerabilities, exploit probabilities.</p>
      <Outcome of={saving} />
      <Shown of={reading} isEmpty={(files) => files.value.length === 0} empty={mayChange ? "None is there, so nothing can be matched. Import a file, for example an export of osv.dev or CISA's catalogue." : "None is there, so nothing can be matched. An administrator imports them here."}>
        {(files) => (
          <>
            <p className="quiet">{files.inForce.toLocaleString()} in force, {bytesText(files.bytes)} in memory</p>
            <Table label="Advisory files" className="advisories" columns={columns} rows={files.value} keyOf={(one) => one.name} />
          </>
        )}
      </Shown>
      {mayChange && <FileImport api={api} address="/api/v1/advisories" said="Imported. Devices are judged again within seconds." done={again} />}
    </section>
  );
}

interface Props {
  api: Api;
  hub: string;
  chosenHub: string | null;
  filters: Filters;
  news: number;
  mayChange: boolean;
  go: Go;
}

export function VulnerabilitiesPage({ api, hub, chosenHub, filters, news, mayChange, go }: Props) {
  const reading = useReading(async (signal) => (await api.get<{ value: Vulnerability[] }>(`/api/v1/vulnerabilities?${new URLSearchParams({ hub, top: String(shownMax) })}`, signal)).value, [api, hub, news]);
  const shown = chosenVulnerabilities(reading.value ?? [], filters);
  const filtered = shown.length < (reading.value?.length ?? 0);
  const change = (next: Filters) => go({ at: "vulnerabilities", filters: next });
  const columns: Column<Vulnerability>[] = [
    { title: "Vulnerability", kind: "device", cell: (one) => <PlaceLink to={{ at: "vulnerability", id: one.id }} hub={chosenHub} go={go}>{visible(one.id)}</PlaceLink> },
    { title: "Exploited", cell: (one) => (one.exploited ? <Exploited /> : <span className="quiet">not known to be</span>) },
    { title: "Probability", hint: "That it is exploited within 30 days", kind: "number", cell: (one) => percentText(one.exploitPercent === null ? null : one.exploitPercent / 100) },
    { title: "CVSS", kind: "number", cell: (one) => scoreText(one.score) },
    { title: "Devices", kind: "number", cell: (one) => one.devices.toLocaleString() },
    { title: "With open ports", kind: "number", cell: (one) => one.exposedDevices.toLocaleString() },
    { title: "In", kind: "text", cell: (one) => visible(one.components.slice(0, componentsNamed).join(", ")) + (one.components.length > componentsNamed ? ` and ${one.components.length - componentsNamed} more` : "") },
  ];
  return (
    <main>
      <section className="card">
        <h2>Vulnerabilities</h2>
        <FilterBar note={reading.value === null ? "" : `${filtered ? `${shown.length.toLocaleString()} of ` : ""}${reading.value.length.toLocaleString()}`}>
          <Search label="Id or component" name="name" filters={filters} change={change} />
          <Choice label="Show" name="used" filters={filters} change={change} options={[["", "All"], ["exploited", "Known exploited"], ["exposed", "On devices with open ports"]]} />
        </FilterBar>
        <Shown of={reading} isEmpty={() => shown.length === 0} empty={filtered ? "No vulnerability is like this." : `No package on a device of ${hub} is known to be vulnerable. That says something only where advisories are in force and agents report what is installed.`}>
          {() => <Table label="Vulnerabilities" className="vulnerabilities" columns={columns} rows={shown} keyOf={(one) => one.id} open={(one) => go({ at: "vulnerability", id: one.id })} />}
        </Shown>
      </section>
      <Advisories api={api} mayChange={mayChange} changed={reading.again} />
    </main>
  );
}
