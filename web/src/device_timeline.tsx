// Everything of note about a device in the order in which it happened, newest first, by day.
import { PlaceLink } from "./link";
import { SeverityIcon, Time } from "./marks";
import { type Severity, severities } from "./model";
import type { Go } from "./place";
import { localDay } from "./times";
import { visible } from "./visible";

interface Entry {
  time: string;
  what: string;
  level: string;
  state: string;
  kind: string; // Alert, Recommendation or Hub
  id: string;
}

const entryOf = (row: unknown[]): Entry => {
  const [time = "", what = "", level = "", state = "", kind = "", id = ""] = row.map((cell) => String(cell ?? ""));
  return { time, what, level, state, kind, id };
};
const isSeverity = (text: string): text is Severity => (severities as readonly string[]).includes(text);
const places: Readonly<Record<string, "alert" | "recommendation">> = { Alert: "alert", Recommendation: "recommendation" };

export function DeviceTimeline({ rows, now, chosenHub, go }: { rows: unknown[][]; now: number; chosenHub: string | null; go: Go }) {
  const days = new Map<string, Entry[]>();
  for (const entry of rows.map(entryOf)) {
    const day = localDay(entry.time);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return (
    <>
      {[...days].map(([day, entries]) => (
        <section key={day}>
          <h3>{day}</h3>
          <ol className="plain timeline">
            {entries.map((entry, index) => (
              <li key={index} className={isSeverity(entry.level) ? entry.level : undefined}>
                <Time iso={entry.time} now={now} clock />
                <span className="kind">{entry.kind}</span>
                <span>
                  {isSeverity(entry.level) && <><SeverityIcon severity={entry.level} /><span className="unseen"> {entry.level}</span> </>}
                  {places[entry.kind] ? <PlaceLink to={{ at: places[entry.kind]!, id: entry.id }} hub={chosenHub} go={go}>{visible(entry.what)}</PlaceLink> : visible(entry.what)}
                </span>
                <span className="quiet">{visible(entry.state === "New" ? "Active" : entry.state)}</span>
              </li>
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}
