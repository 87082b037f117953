// What surrounds every place of the page: the header, the hub in view, its live data, the drawers.
import { useEffect, useRef, useState } from "react";
import { AlertDrawer } from "./alert_drawer";
import type { Api } from "./api";
import { useFocusKept } from "./focus";
import { Late, late } from "./late";
import { PlaceLink } from "./link";
import { type Link, useLive } from "./live";
import { Time } from "./marks";
import type { Who } from "./model";
import { addressOf, mayLeave, type Place, usePlace } from "./place";
import { PlaceBody } from "./place_body";
import { TroubleNote, useReading } from "./reading";
import { RecommendationDrawer } from "./recommendation_drawer";
import { WhoContext } from "./rights";
import { isOfServer } from "./server_places";

const ServerPlace = late(async () => (await import("./server_place")).ServerPlace);

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
  ["Access", [
    ["Users", { at: "users", filters: {} }, ["users", "user"]],
    ["Tokens", { at: "tokens", filters: {} }, ["tokens"]],
    ["Audit log", { at: "audit", filters: {} }, ["audit"]],
  ]],
];

const links: Record<Link, string> = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

const titleOf = (place: Place): string => {
  const name = places.flatMap(([, tabs]) => tabs).find(([, , within]) => within.includes(place.at))?.[0] ?? "Your account";
  return "id" in place && (place.at === "device" || place.at === "group" || place.at === "user") ? `${place.id} · ${name}` : name;
};

function useTitle(place: Place) {
  const title = `${titleOf(place)} · Fieldwatch`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}

interface Props {
  api: Api;
  known: (who: Who) => void; // once the server has said who it is
  leave: () => void;
}

function NoHub() {
  return (
    <main>
      <section className="card empty" data-empty="no-hub">
        <strong>There is no hub yet.</strong>
        <span>Devices report to a hub. An administrator makes one, on the server:</span>
        <code>fieldwatch hub create my-hub</code>
      </section>
    </main>
  );
}

export function Frame({ api, known, leave }: Props) {
  const [hub, setHub] = useState<string | null>(() => new URLSearchParams(window.location.search).get("hub"));
  const [place, go] = usePlace(hub);
  const live = useLive(api, hub);
  const now = useNow();
  const { data } = live;
  const hubs = live.hubs ?? [];
  const name = data?.overview.hub ?? hub ?? hubs[0]?.name ?? "";
  const [behind, setBehind] = useState<Behind>({ at: "overview" }); // what a drawer lies over
  const drawn = place.at === "alert" || place.at === "recommendation";
  useEffect(() => {
    if (!drawn) setBehind(place);
  }, [drawn, place]);
  const spot = useRef<HTMLDivElement>(null);
  useFocusKept(spot, drawn, addressOf({ ...place, ...("filters" in place && { filters: {} }) }, null));
  useTitle(place);
  const close = () => go(behind);
  const investigate = (query: string) => go({ at: "logs", query });
  const asked = useReading((signal) => api.get<Who>("/api/v1/who", signal), [api]);
  const who = asked.value;
  useEffect(() => {
    if (who !== null) known(who);
  }, [who]);
  const shown = drawn ? behind : place;
  return (
    <WhoContext value={who}>
      <a className="skip" href="#place" onClick={(event) => { event.preventDefault(); spot.current?.focus(); }}>Skip to the content</a>
      <header className="top">
        <a className="brand" href="/">
          <img src="/icon.svg" alt="" width="22" height="22" /> Fieldwatch
        </a>
        {hubs.length > 1 ? (
          <label>
            <span className="unseen">Hub</span>
            <select value={name} onChange={(event) => mayLeave() && setHub(event.target.value)}>
              {hubs.map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
            </select>
          </label>
        ) : (
          <span className="hub">{name}</span>
        )}
        {live.hubs?.length !== 0 && (
          <span className={`link ${live.link}`} role="status">
            {links[live.link]}
          </span>
        )}
        <span className="quiet age">
          {data && (
            <>
              data of <Time iso={data.overview.generated} now={now} relative />
            </>
          )}
        </span>
        {who && (
          <PlaceLink to={{ at: "account", filters: {} }} hub={hub} go={go} here={place.at === "account"} className="who">
            {who.name} <span className="quiet">{who.role}</span>
          </PlaceLink>
        )}
        <button type="button" onClick={() => mayLeave() && leave()}>
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
        <div className="place" id="place" ref={spot} tabIndex={-1}>
          {asked.error !== null && <TroubleNote trouble={asked.error} again={asked.again} />}
          {live.error !== null && <TroubleNote trouble={live.error} again={live.reload} />}
          <Late spot={shown.at}>
            {isOfServer(shown) ? (
              <ServerPlace place={shown} api={api} who={who} hubs={hubs.map((one) => one.name)} chosenHub={hub} now={now} go={go} leave={leave} />
            ) : live.hubs?.length === 0 ? (
              <NoHub />
            ) : data === null ? (
              live.error === null && <p className="quiet loading">Reading…</p>
            ) : (
              <PlaceBody
                place={shown}
                api={api}
                data={data}
                chosenHub={hub}
                fresh={live.fresh}
                now={now}
                mayChange={who?.role === "administrator"}
                go={go}
              />
            )}
          </Late>
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
    </WhoContext>
  );
}
