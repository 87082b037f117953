// The header and the list of places that stand beside every place.
import { type ReactNode, useEffect, useRef } from "react";
import { PlaceLink } from "./link";
import type { Link } from "./live";
import { Time } from "./marks";
import { type Go, mayLeave, type Place } from "./place";

const places: [title: string, tabs: [name: string, to: Place, within: Place["at"][]][]][] = [
  ["Security", [
    ["Overview", { at: "overview" }, ["overview"]],
    ["Alerts", { at: "alerts", filters: {} }, ["alerts", "alert"]],
    ["Recommendations", { at: "recommendations", filters: {} }, ["recommendations", "recommendation"]],
    ["Vulnerabilities", { at: "vulnerabilities", filters: {} }, ["vulnerabilities", "vulnerability"]],
    ["Devices", { at: "devices", filters: {} }, ["devices", "device"]],
    ["Logs", { at: "logs", query: null }, ["logs"]],
  ]],
  ["Detection", [
    ["Rules", { at: "rules", filters: {} }, ["rules", "rule"]],
    ["Scheduled rules", { at: "scheduled", filters: {} }, ["scheduled", "scheduledRule"]],
    ["Custom alerts", { at: "groups", filters: {} }, ["groups", "group"]],
    ["Profiles", { at: "profiles", filters: {} }, ["profiles", "profile"]],
    ["Intelligence", { at: "intelligence", filters: {} }, ["intelligence"]],
  ]],
  ["Hub and server", [
    ["Settings", { at: "settings", filters: {} }, ["settings"]],
    ["Exports", { at: "exports", filters: {} }, ["exports", "export"]],
    ["System health", { at: "health", filters: {} }, ["health"]],
  ]],
  ["Access", [
    ["Users", { at: "users", filters: {} }, ["users", "user"]],
    ["Tokens", { at: "tokens", filters: {} }, ["tokens"]],
    ["Audit log", { at: "audit", filters: {} }, ["audit"]],
  ]],
];

const links: Record<Link, string> = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

export const titleOf = (place: Place): string => {
  const name = places.flatMap(([, tabs]) => tabs).find(([, , within]) => within.includes(place.at))?.[0] ?? "Your account";
  return "id" in place && place.at !== "alert" && place.at !== "recommendation" && place.at !== "rule" ? `${place.id} · ${name}` : name;
};

export function Rail({ hub, at, go }: { hub: string | null; at: Place["at"]; go: Go }) {
  const rail = useRef<HTMLElement>(null);
  // On a small screen the places are one line that is wider than the screen: the present one is in it.
  useEffect(() => {
    const here = rail.current?.querySelector<HTMLElement>("[aria-current]");
    if (rail.current && here) rail.current.scrollLeft = here.offsetLeft - rail.current.offsetLeft - rail.current.clientWidth / 3;
  }, [at]);
  return (
    <nav className="rail" aria-label="Places" ref={rail}>
      {places.map(([title, tabs]) => (
        <ul key={title} aria-label={title}>
          {tabs.map(([name, to, within]) => (
            <li key={name}>
              <PlaceLink to={to} hub={hub} go={go} here={within.includes(at)}>{name}</PlaceLink>
            </li>
          ))}
        </ul>
      ))}
    </nav>
  );
}

interface Props {
  hubs: readonly string[];
  name: string; // of the hub in view
  choose: (hub: string) => void;
  link: Link | null; // null: nothing to be linked to
  generated: string | null; // when the data in view were read
  now: number;
  children: ReactNode; // who is there, and the way out
}

export function TopBar({ hubs, name, choose, link, generated, now, children }: Props) {
  return (
    <header className="top">
      <a className="brand" href="/">
        <img src="/icon.svg" alt="" width="22" height="22" /> Fieldwatch
      </a>
      {hubs.length > 1 ? (
        <label>
          <span className="unseen">Hub</span>
          <select value={name} onChange={(event) => mayLeave() && choose(event.target.value)}>
            {hubs.map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
      ) : (
        <span className="hub">{name}</span>
      )}
      {link && <span className={`link ${link}`} role="status">{links[link]}</span>}
      <span className="quiet age">{generated !== null && <>data of <Time iso={generated} now={now} relative /></>}</span>
      {children}
    </header>
  );
}
