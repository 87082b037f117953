// What surrounds every place of the page: the header, the hub in view, its live data, the drawers.
import { useEffect, useState } from "react";
import { AlertDrawer } from "./alert_drawer";
import type { Api } from "./api";
import { PlaceLink } from "./link";
import { type Link, useLive } from "./live";
import { Time } from "./marks";
import type { Who } from "./model";
import { type Place, usePlace } from "./place";
import { PlaceBody } from "./place_body";
import { useReading } from "./reading";
import { RecommendationDrawer } from "./recommendation_drawer";

type Behind = Exclude<Place, { at: "alert" | "recommendation" }>;

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const places: [title: string, tabs: [name: string, to: Place, within: Place["at"][]][]][] = [
  ["Security", [
    ["Overview", { at: "overview" }, ["overview"]],
    ["Alerts", { at: "alerts", filters: {} }, ["alerts", "alert"]],
    ["Recommendations", { at: "recommendations", filters: {} }, ["recommendations", "recommendation"]],
    ["Devices", { at: "devices", filters: {} }, ["devices", "device"]],
    ["Logs", { at: "logs", query: null }, ["logs"]],
  ]],
  ["Detection", [
    ["Rules", { at: "rules", filters: {} }, ["rules", "rule"]],
    ["Custom alerts", { at: "groups", filters: {} }, ["groups", "group"]],
    ["Intelligence", { at: "intelligence", filters: {} }, ["intelligence"]],
  ]],
  ["Hub", [
    ["Settings", { at: "settings", filters: {} }, ["settings"]],
    ["System health", { at: "health", filters: {} }, ["health"]],
  ]],
];

const links: Record<Link, string> = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

export function Frame({ api, onRefused, leave }: { api: Api; onRefused: () => void; leave: () => void }) {
  const [hub, setHub] = useState<string | null>(() => new URLSearchParams(window.location.search).get("hub"));
  const [place, go] = usePlace(hub);
  const live = useLive(api, hub, onRefused);
  const now = useNow();
  const { data } = live;
  const name = data?.overview.hub ?? hub ?? live.hubs[0]?.name ?? "";
  const [behind, setBehind] = useState<Behind>({ at: "overview" }); // what a drawer lies over
  useEffect(() => {
    if (place.at !== "alert" && place.at !== "recommendation") setBehind(place);
  }, [place]);
  const close = () => go(behind);
  const investigate = (query: string) => go({ at: "logs", query });
  const who = useReading((signal) => api.get<Who>("/api/v1/who", signal), [api]).value;
  return (
    <>
      <header className="top">
        <a className="brand" href="/">
          <img src="/icon.svg" alt="" width="22" height="22" /> Fieldwatch
        </a>
        {live.hubs.length > 1 ? (
          <label>
            <span className="unseen">Hub</span>
            <select value={name} onChange={(event) => setHub(event.target.value)}>
              {live.hubs.map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
            </select>
          </label>
        ) : (
          <span className="hub">{name}</span>
        )}
        <span className={`link ${live.link}`} role="status">
          {links[live.link]}
        </span>
        <span className="quiet age">
          {data && (
            <>
              data of <Time iso={data.overview.generated} now={now} relative />
            </>
          )}
        </span>
        <button type="button" onClick={leave}>
          Sign out
        </button>
      </header>
      <div className="body">
        <nav className="rail" aria-label="Places">
          {places.map(([title, tabs]) => (
            <ul key={title} aria-label={title}>
              {tabs.map(([name, to, within]) => (
                <li key={name}>
                  <PlaceLink to={to} hub={hub} go={go} here={within.includes(place.at)}>{name}</PlaceLink>
                </li>
              ))}
            </ul>
          ))}
        </nav>
        <div className="place">
          {live.error !== null && <p role="alert" className="note error">{live.error}</p>}
          {data === null && live.error === null && <p className="quiet loading">Reading…</p>}
          {data && (
            <PlaceBody
              place={place.at === "alert" || place.at === "recommendation" ? behind : place}
              api={api}
              data={data}
              chosenHub={hub}
              fresh={live.fresh}
              now={now}
              mayChange={who?.role === "administrator"}
              go={go}
            />
          )}
        </div>
      </div>
      {data && place.at === "alert" && (
        <AlertDrawer
          key={place.id}
          api={api}
          hub={data.overview.hub}
          workspace={data.overview.workspace}
          id={place.id}
          news={data.overview.sequence}
          mayDecide={who?.role === "operator" || who?.role === "administrator"}
          now={now}
          close={close}
          open={(id) => go({ at: "alert", id })}
          investigate={investigate}
          openDevice={(id) => go({ at: "device", id })}
          openRule={(id) => go({ at: "rule", id })}
        />
      )}
      {data && place.at === "recommendation" && (
        <RecommendationDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} />
      )}
    </>
  );
}
