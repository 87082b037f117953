// What surrounds every place of the page: the header, the hub in view, its live data, the drawers.
import { type MouseEvent, useEffect, useState } from "react";
import { AlertDrawer } from "./alert_drawer";
import type { Api } from "./api";
import { type Link, useLive } from "./live";
import { Logs } from "./logs";
import { Time } from "./marks";
import { Overview } from "./overview";
import { addressOf, type Place, usePlace } from "./place";
import { RecommendationDrawer } from "./recommendation_drawer";

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const links: Record<Link, string> = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

interface TabProps {
  name: string;
  to: Place;
  here: boolean;
  hub: string | null;
  go: (place: Place) => void;
}

/** An ordinary link, so that it opens in another tab as one does; a plain click stays in this page. */
function Tab({ name, to, here, hub, go }: TabProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={addressOf(to, hub)} onClick={follow} aria-current={here ? "page" : undefined}>
      {name}
    </a>
  );
}

export function Frame({ api, onRefused, leave }: { api: Api; onRefused: () => void; leave: () => void }) {
  const [hub, setHub] = useState<string | null>(() => new URLSearchParams(window.location.search).get("hub"));
  const [place, go] = usePlace(hub);
  const live = useLive(api, hub, onRefused);
  const now = useNow();
  const { data } = live;
  const name = data?.overview.hub ?? hub ?? live.hubs[0]?.name ?? "";
  const close = () => go({ at: "overview" });
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
        <nav>
          <Tab name="Overview" to={{ at: "overview" }} here={place.at !== "logs"} hub={hub} go={go} />
          <Tab name="Logs" to={{ at: "logs", query: null }} here={place.at === "logs"} hub={hub} go={go} />
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
      {data && place.at === "logs" && (
        <Logs
          key={data.overview.workspace}
          api={api}
          workspace={data.overview.workspace}
          asked={place.query}
          keep={(query) => go({ at: "logs", query })}
        />
      )}
      {data && place.at !== "logs" && (
        <Overview
          data={data}
          fresh={live.fresh}
          now={now}
          openAlert={(id) => go({ at: "alert", id })}
          openRecommendation={(id) => go({ at: "recommendation", id })}
        />
      )}
      {data && place.at === "alert" && (
        <AlertDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} />
      )}
      {data && place.at === "recommendation" && (
        <RecommendationDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} />
      )}
    </>
  );
}
