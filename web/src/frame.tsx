// What surrounds every place of the page: the header, the hub in view, its live data, the drawers.
import { useEffect, useRef, useState } from "react";
import { AlertDrawer } from "./alert_drawer";
import type { Api } from "./api";
import { useFocusKept } from "./focus";
import { Late, late } from "./late";
import { PlaceLink } from "./link";
import { useLive } from "./live";
import type { Who } from "./model";
import { addressOf, mayLeave, type Place, usePlace } from "./place";
import { PlaceBody } from "./place_body";
import { TroubleNote, useReading } from "./reading";
import { RecommendationDrawer } from "./recommendation_drawer";
import { WhoContext } from "./rights";
import { isOfServer } from "./server_places";
import { Rail, titleOf, TopBar } from "./top_bar";

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
  const [behind, setBehind] = useState<Behind>(() => (place.at === "alert" ? { at: "alerts", filters: {} } : { at: "recommendations", filters: {} })); // what a drawer lies over
  const listed = useRef<readonly string[]>([]); // the alerts in view, in their order
  const [queue, setQueue] = useState<readonly string[]>([]); // the same when the drawer opened: what is decided leaves the list, not the queue
  const drawn = place.at === "alert" || place.at === "recommendation";
  useEffect(() => {
    if (!drawn) setBehind(place);
  }, [drawn, place]);
  useEffect(() => {
    if (drawn) setQueue(listed.current);
  }, [drawn]);
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
      <TopBar hubs={hubs.map((one) => one.name)} name={name} choose={setHub} link={hubs.length === 0 ? null : live.link} generated={data?.overview.generated ?? null} now={now}>
        <h1 className="unseen">{titleOf(place)}</h1>
        {who && (
          <PlaceLink to={{ at: "account", filters: {} }} hub={hub} go={go} here={place.at === "account"} className="who">
            {who.name} <span className="quiet">{who.role}</span>
          </PlaceLink>
        )}
        <button type="button" onClick={() => mayLeave() && leave()}>Sign out</button>
      </TopBar>
      <div className="body">
        <Rail hub={hub} at={place.at} go={go} />
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
                listed={listed}
                go={go}
              />
            )}
          </Late>
        </div>
      </div>
      {data && place.at === "alert" && (
        <AlertDrawer
          api={api}
          hub={data.overview.hub}
          workspace={data.overview.workspace}
          id={place.id}
          queue={queue}
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
        <RecommendationDrawer key={place.id} api={api} hub={data.overview.hub} id={place.id} now={now} close={close} investigate={investigate} openDevice={(id) => go({ at: "device", id })} />
      )}
    </WhoContext>
  );
}
