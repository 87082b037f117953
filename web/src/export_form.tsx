// What an administrator says about one receiver of findings.
import { type ReactNode, useState } from "react";
import { type DestinationForm, formatNames, formatsOf, isEncrypted, isMail, isWebhook, logsIn } from "./exports";
import { severities, type Severity } from "./model";

interface Props {
  form: DestinationForm;
  change: (form: DestinationForm) => void;
  hubs: readonly string[];
  there: { signed: boolean; authorized: boolean } | null; // null: a new one
}

const toggled = (list: readonly string[], one: string, on: boolean) => (on ? [...list, one] : list.filter((each) => each !== one));

function Boxes({ legend, all, chosen, change, name = (one) => one }: { legend: string; all: readonly string[]; chosen: readonly string[]; change: (next: string[]) => void; name?: (one: string) => ReactNode }) {
  return (
    <fieldset className="filter">
      <legend>{legend}</legend>
      {all.map((one) => (
        <label className="switch" key={one}>
          <input type="checkbox" checked={chosen.includes(one)} onChange={(event) => change(toggled(chosen, one, event.target.checked))} />
          {name(one)}
        </label>
      ))}
    </fieldset>
  );
}

/** Who writes to whom, and how often. */
function MailFields({ form, set }: { form: DestinationForm; set: (name: "from" | "recipients" | "digestMinutes", value: string) => void }) {
  return (
    <div className="bar fields">
      <label className="filter">
        <span>Sender</span>
        <input type="email" required maxLength={254} value={form.from} placeholder="fieldwatch@plant.example" onChange={(event) => set("from", event.target.value)} />
      </label>
      <label className="filter wide">
        <span>Recipients, with commas between them</span>
        <input required spellCheck={false} autoCapitalize="none" value={form.recipients} placeholder="soc@plant.example, on-call@plant.example" onChange={(event) => set("recipients", event.target.value)} />
      </label>
      <label className="filter">
        <span>One mail in so many minutes; 0: at once</span>
        <input type="number" min={0} max={1440} required value={form.digestMinutes} onChange={(event) => set("digestMinutes", event.target.value)} />
      </label>
    </div>
  );
}

function LoginFields({ form, set, kept }: { form: DestinationForm; set: (name: "user" | "password", value: string) => void; kept: boolean }) {
  return (
    <>
      <label className="filter wide">
        <span>User; empty: nobody logs in</span>
        <input value={form.user} spellCheck={false} autoCapitalize="none" autoComplete="off" onChange={(event) => set("user", event.target.value)} />
      </label>
      <label className="filter wide">
        <span>Password{kept ? "; empty: the present one stays, while receiver and user do" : ""}</span>
        <input type="password" value={form.password} autoComplete="new-password" onChange={(event) => set("password", event.target.value)} />
      </label>
    </>
  );
}

export function ExportFields({ form, change, hubs, there }: Props) {
  const [more, setMore] = useState(form.ca !== "" || form.user !== "");
  const set = <Name extends keyof DestinationForm>(name: Name, value: DestinationForm[Name]) => change({ ...form, [name]: value });
  const formats = formatsOf(form.to);
  return (
    <>
      <label className="filter wide">
        <span>Receiver: https://…, tls://host, tcp://host, udp://host, kafkas://host:9093/topic, natss://host:4222/subject, smtp://host, or file</span>
        <input value={form.to} required maxLength={2048} spellCheck={false} autoCapitalize="none" autoComplete="off" placeholder="https://soc.example/hooks/fieldwatch" onChange={(event) => set("to", event.target.value)} />
      </label>
      <div className="bar fields">
        <label className="filter">
          <span>Form</span>
          <select value={formats.includes(form.format) ? form.format : (formats[0] ?? "")} onChange={(event) => set("format", event.target.value)}>
            {formats.map((one) => <option key={one} value={one}>{formatNames[one] ?? one}</option>)}
          </select>
        </label>
        <label className="filter">
          <span>From severity</span>
          <select value={form.minimumSeverity} onChange={(event) => set("minimumSeverity", event.target.value as Severity)}>
            {[...severities].reverse().map((one) => <option key={one}>{one}</option>)}
          </select>
        </label>
        <label className="filter">
          <span>Waits at most, days</span>
          <input type="number" min={1} max={30} required value={form.keepDays} onChange={(event) => set("keepDays", event.target.value)} />
        </label>
        <Boxes legend="What goes there" all={["alerts", "recommendations"]} chosen={form.findings} change={(next) => set("findings", next)} />
        <label className="filter">
          <span>Of an alert</span>
          <select value={form.states} onChange={(event) => set("states", event.target.value as DestinationForm["states"])}>
            <option value="new">When it is new</option>
            <option value="all">Every state</option>
          </select>
        </label>
        <label className="filter">
          <span>Of an incident</span>
          <select value={form.group} onChange={(event) => set("group", event.target.value as DestinationForm["group"])}>
            <option value="none">Each alert</option>
            <option value="incident">The first, and what is worse</option>
          </select>
        </label>
        <label className="filter">
          <span>Quiet hours; empty: none</span>
          <input className="hours" value={form.quietHours} maxLength={20} spellCheck={false} placeholder="22:00-06:00+01:00" pattern="\d\d:\d\d-\d\d:\d\d(Z|[+\-]\d\d:\d\d)?" title="From-to in UTC, or with how far your clock is ahead of it: 22:00-06:00+01:00" onChange={(event) => set("quietHours", event.target.value)} />
        </label>
        {hubs.length > 1 && <Boxes legend="Hubs; none: all of them" all={hubs} chosen={form.hubs} change={(next) => set("hubs", next)} />}
      </div>
      {isMail(form.to) && <MailFields form={form} set={set} />}
      {(isEncrypted(form.to) || isWebhook(form.to) || logsIn(form.to)) && (
        <details open={more} onToggle={(event) => setMore(event.currentTarget.open)}>
          <summary>{logsIn(form.to) ? "Login and trust" : "Trust and signature"}</summary>
          <div className="editor">
            {logsIn(form.to) && <LoginFields form={form} set={set} kept={there?.authorized === true} />}
            {isWebhook(form.to) && (
              <>
                <label className="filter wide">
                  <span>Secret of the signature; {there?.signed ? "empty: the present one stays" : "empty: the server makes one and shows it once"}</span>
                  <input type="password" value={form.secret} autoComplete="new-password" onChange={(event) => set("secret", event.target.value)} />
                </label>
                <label className="filter wide">
                  <span>Authorization header; {there?.authorized ? "empty: the present one stays, while the host does" : "empty: none"}</span>
                  <input type="password" value={form.authorization} autoComplete="new-password" onChange={(event) => set("authorization", event.target.value)} />
                </label>
              </>
            )}
            {isEncrypted(form.to) && (
              <label className="filter wide">
                <span>Certificates to trust, in PEM; empty: those of the system</span>
                <textarea rows={4} className="code" spellCheck={false} value={form.ca} onChange={(event) => set("ca", event.target.value)} />
              </label>
            )}
          </div>
        </details>
      )}
    </>
  );
}
