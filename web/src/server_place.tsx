// Places that are of the server as a whole: they need no hub. What a role may not see says so instead.
import { AccountPage } from "./account_page";
import type { Api } from "./api";
import { ExportPage } from "./export_page";
import { ExportsPage } from "./exports_page";
import type { Who } from "./model";
import type { Go } from "./place";
import { mayAs } from "./rights";
import type { ServerPlaceName } from "./server_places";
import { titleOf } from "./top_bar";
import { TokensPage } from "./tokens_page";
import { UserPage } from "./user_page";
import { UsersPage } from "./users_page";

interface Props {
  place: ServerPlaceName;
  api: Api;
  who: Who | null;
  hubs: readonly string[];
  chosenHub: string | null;
  now: number;
  go: Go;
  leave: () => void;
}

export function ServerPlace({ place, api, who, hubs, chosenHub, now, go, leave }: Props) {
  if (who === null) return <p className="quiet loading">Reading…</p>;
  if (place.at === "account") return <AccountPage api={api} who={who} leave={leave} />;
  const may = mayAs(who, "administrator");
  if (!may.yes) {
    return (
      <main>
        <section className="card">
          <h2>{titleOf(place)}</h2>
          <p className="quiet">{may.why}</p>
        </section>
      </main>
    );
  }
  switch (place.at) {
    case "users":
      return <UsersPage api={api} chosenHub={chosenHub} filters={place.filters} now={now} go={go} />;
    case "user":
      return <UserPage key={place.id} api={api} chosenHub={chosenHub} id={place.id} self={api.bySession ? who.name : null} now={now} go={go} />;
    case "exports":
      return <ExportsPage api={api} hubs={hubs} chosenHub={chosenHub} now={now} go={go} />;
    case "export":
      return <ExportPage key={place.id} api={api} id={place.id} hubs={hubs} chosenHub={chosenHub} now={now} go={go} />;
    case "tokens":
      return <TokensPage api={api} hubs={hubs} filters={place.filters} self={api.bySession ? null : who.name} now={now} go={go} />;
  }
}
