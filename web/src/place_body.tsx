// The place that the address names, with what it needs of the live data.
import type { RefObject } from "react";
import type { Api } from "./api";
import { AlertsPage } from "./alerts_page";
import { DevicePage } from "./device_page";
import { DevicesPage } from "./devices_page";
import { late } from "./late";
import type { PageData } from "./live";
import { Overview } from "./overview";
import type { Go, Place } from "./place";
import { RecommendationsPage } from "./recommendations_page";
import type { ServerPlaceName } from "./server_places";

const AuditPage = late(async () => (await import("./audit_page")).AuditPage);
const GroupPage = late(async () => (await import("./group_page")).GroupPage);
const GroupsPage = late(async () => (await import("./groups_page")).GroupsPage);
const HealthPage = late(async () => (await import("./health_page")).HealthPage);
const IntelligencePage = late(async () => (await import("./intelligence_page")).IntelligencePage);
const ProfilePage = late(async () => (await import("./profile_page")).ProfilePage);
const ProfilesPage = late(async () => (await import("./profiles_page")).ProfilesPage);
const RulePage = late(async () => (await import("./rule_page")).RulePage);
const RulesPage = late(async () => (await import("./rules_page")).RulesPage);
const ScheduledPage = late(async () => (await import("./scheduled_page")).ScheduledPage);
const ScheduledRulePage = late(async () => (await import("./scheduled_rule_page")).ScheduledRulePage);
const SettingsPage = late(async () => (await import("./settings_page")).SettingsPage);
const VulnerabilitiesPage = late(async () => (await import("./vulnerabilities_page")).VulnerabilitiesPage);
const VulnerabilityPage = late(async () => (await import("./vulnerability_page")).VulnerabilityPage);
const Logs = late(async () => (await import("./logs")).Logs);

interface Props {
  place: Exclude<Place, { at: "alert" | "recommendation" } | ServerPlaceName>;
  api: Api;
  data: PageData;
  chosenHub: string | null;
  fresh: ReadonlySet<string>;
  now: number;
  mayChange: boolean;
  listed: RefObject<readonly string[]>; // a list of alerts says what is in it
  go: Go;
}

export function PlaceBody({ place, api, data, chosenHub, fresh, now, mayChange, listed, go }: Props) {
  const { hub, workspace, sequence: news } = data.overview;
  const openAlert = (id: string) => go({ at: "alert", id });
  const openRecommendation = (id: string) => go({ at: "recommendation", id });
  const openDevice = (id: string) => go({ at: "device", id });
  const list = { api, hub, news, now };
  const editor = { api, hub, chosenHub, mayChange, go };
  switch (place.at) {
    case "overview":
      return <Overview api={api} data={data} fresh={fresh} now={now} listed={listed} go={go} />;
    case "alerts":
      return <AlertsPage {...list} listed={listed} filters={place.filters} fresh={fresh} change={(filters) => go({ at: "alerts", filters })} open={openAlert} />;
    case "recommendations":
      return <RecommendationsPage {...list} filters={place.filters} change={(filters) => go({ at: "recommendations", filters })} open={openRecommendation} />;
    case "devices":
      return <DevicesPage {...list} filters={place.filters} change={(filters, instead) => go({ at: "devices", filters }, instead)} open={openDevice} />;
    case "device":
      return <DevicePage key={place.id} {...list} chosenHub={chosenHub} workspace={workspace} id={place.id} tab={place.tab ?? ""} span={place.span ?? ""} fresh={fresh} go={go} />;
    case "logs":
      return <Logs key={`${hub} ${workspace}`} api={api} hub={hub} workspace={workspace} now={now} asked={place.query} askedSpan={place.span ?? ""} keep={(query, span) => go({ at: "logs", query, span })} />;
    case "rules":
      return <RulesPage api={api} chosenHub={chosenHub} filters={place.filters} news={news} now={now} mayChange={mayChange} go={go} />;
    case "rule":
      return <RulePage key={place.id} {...editor} id={place.id} tab={place.tab ?? ""} now={now} />;
    case "scheduled":
      return <ScheduledPage key={hub} {...editor} filters={place.filters} now={now} />;
    case "scheduledRule":
      return <ScheduledRulePage key={`${hub} ${place.id}`} {...editor} workspace={workspace} id={place.id} tab={place.tab ?? ""} now={now} />;
    case "profiles":
      return <ProfilesPage key={hub} {...editor} filters={place.filters} now={now} />;
    case "profile":
      return <ProfilePage key={`${hub} ${place.id}`} {...editor} id={place.id} filters={place.filters} now={now} />;
    case "groups":
      return <GroupsPage key={hub} {...editor} filters={place.filters} />;
    case "group":
      return <GroupPage key={`${hub} ${place.id}`} {...editor} id={place.id} />;
    case "vulnerabilities":
      return <VulnerabilitiesPage {...editor} filters={place.filters} news={news} />;
    case "vulnerability":
      return <VulnerabilityPage key={place.id} api={api} hub={hub} chosenHub={chosenHub} id={place.id} news={news} now={now} go={go} />;
    case "intelligence":
      return <IntelligencePage api={api} filters={place.filters} mayChange={mayChange} now={now} go={go} />;
    case "settings":
      return <SettingsPage key={hub} {...editor} filters={place.filters} now={now} />;
    case "audit":
      return <AuditPage key={workspace} api={api} workspace={workspace} filters={place.filters} now={now} go={go} />;
    case "health":
      return <HealthPage {...list} filters={place.filters} go={go} />;
  }
}
