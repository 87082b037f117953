// What surrounds every place of the page: the header, the hub in view, its live data, the drawers.
import { useEffect, useState } from "react";
import { AlertDrawer } from "./alert_drawer";
import { AlertsPage } from "./alerts_page";
import type { Api } from "./api";
import { DevicePage } from "./device_page";
import { DevicesPage } from "./devices_page";
import { PlaceLink } from "./link";
import { type Link, useLive } from "./live";
import { Logs } from "./logs";
import { Time } from "./marks";
import { Overview } from "./overview";
import { type Filters, type Place, usePlace } from "./place";
import { RecommendationDrawer } from "./recommendation_drawer";
import { RecommendationsPage } from "./recommendations_page";

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const tabs: [name: string, to: Place, within: Place["at"][]][] = [
  ["Overview", { at: "overview" }, ["overview"]],
  ["Alerts", { at: "alerts", filters: {} }, ["alerts", "alert"]],
  ["Recommendations", { at: "recommendations", filters: {} }, ["recommendations", "recommendation"]],
  ["Devices", { at: "devices", filters: {} }, ["devices", "device"]],
  ["Logs", { at: "logs", query: null }, ["logs"]],
];

const links: Record<Link, string> = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

export function Frame({ api, onRefused, leave }: { api: Api; onRefused: () => void; leave: () => void }) {
  const [hub, setHub] = useState<string | null>(() => new URLSearchParams(window.location.search).get("hub"));
  const [place, go] = usePlace(hub);
  const live = useLive(api, hub, onRefused);
  const now = useNow();
  const { data } = live;
  const name = data?.overview.hub ?? hub ?? live.hubs[0]?.name ?? "";
  const [behind, setBehind] = useState<Place>({ at: "overview" }); // what a drawer lies over
  useEffect(() => {
    if (place.at !== "alert" && place.at !== "recommendation") setBehind(place);
  }, [place]);
  const over = place.at === "alert" || place.at === "recommendation" ? behind : place;
  const close = () => go(behind);
  const openAlert = (id: string) => go({ at: "alert", id });
  const openRecommendation = (id: string) => go({ at: "recommendation", id });
  const openDevice = (id: string) => go({ at: "device", id, tab: "" });
  const investigate = (query: string) => go({ at: "logs", query });
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
        <nav aria-label="Places">
          {tabs.map(([name, to, within]) => (
            <PlaceLink key={name} to={to} hub={hub} go={go} here={within.includes(place.at)}>
              {name}
            </PlaceLink>
          ))}
        </nav>
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
      {live.error !== null && (
        <p role="alert" className="note error">
          {live.error}
        </p>
      )}
      {data === null && live.error === null && <p className="quiet loading">Reading…</p>}
      {data && over.at === "logs" && (
        <Logs
          key={data.overview.workspace}
          api={api}
          workspace={data.overview.workspace}
          asked={over.query}
          keep={(query) => go({ at: "logs", query })}
        />
      )}
      {data && over.at === "overview" && (
        <Overview
          data={data}
          fresh={live.fresh}
          now={now}
          openAlert={openAlert}
          openRecommendation={openRecommendation}
          openDevice={openDevice}
          showSeverity={(severity) => go({ at: "alerts", filters: { severity } })}
        />
      )}
      {data && over.at === "alerts" && (
        <AlertsPage
          api={api}
          hub={data.overview.hub}
          filters={over.filters}
          fresh={live.fresh}
          news={data.overview.sequence}
          now={now}
          change={(filters: Filters) => go({ at: "alerts", filters })}
          open={openAlert}
        />
      )}
      {data && over.at === "recommendations" && (
        <RecommendationsPage
          api={api}
          hub={data.overview.hub}
          filters={over.filters}
          news={data.overview.sequence}
          now={now}
          change={(filters: Filters) => go({ at: "recommendations", filters })}
          open={openRecommendation}
        />
      )}
      {data && over.at === "devices" && (
        <DevicesPage
          api={api}
          hub={data.overview.hub}
          filters={over.filters}
          news={data.overview.sequence}
          now={now}
          change={(filters: Filters) => go({ at: "devices", filters })}
          open={openDevice}
        />
      )}
      {data && over.at === "device" && (
        <DevicePage
          key={over.id}
          api={api}
          hub={data.overview.hub}
          chosenHub={hub}
          workspace={data.overview.workspace}
          id={over.id}
          tab={over.tab}
          news={data.overview.sequence}
          now={now}
          fresh={live.fresh}
          go={go}
        />
      )}
      {data && place.at === "alert" && (
        <AlertDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} openDevice={openDevice} />
      )}
      {data && place.at === "recommendation" && (
        <RecommendationDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} />
      )}
    </>
  );
}
