// What an administrator says about one receiver of findings.
import { type ReactNode, useState } from "react";
import { type DestinationForm, formatNames, formatsOf, schemeOf } from "./exports";
import { severities, type Severity } from "./model";

const withCa = ["https", "tls"];
const webhooks = ["https", "http"];

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

export function ExportFields({ form, change, hubs, there }: Props) {
  const [more, setMore] = useState(form.ca !== "");
  const scheme = schemeOf(form.to);
  const set = <Name extends keyof DestinationForm>(name: Name, value: DestinationForm[Name]) => change({ ...form, [name]: value });
  const formats = formatsOf(form.to);
  return (
    <>
      <label className="filter wide">
        <span>Receiver: https://…, tls://host, tcp://host, udp://host, or file</span>
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
          <input value={form.quietHours} maxLength={20} spellCheck={false} placeholder="22:00-06:00+01:00" pattern="\d\d:\d\d-\d\d:\d\d(Z|[+\-]\d\d:\d\d)?" title="From-to in UTC, or with how far your clock is ahead of it: 22:00-06:00+01:00" onChange={(event) => set("quietHours", event.target.value)} />
        </label>
        {hubs.length > 1 && <Boxes legend="Hubs; none: all of them" all={hubs} chosen={form.hubs} change={(next) => set("hubs", next)} />}
      </div>
      {(withCa.includes(scheme) || webhooks.includes(scheme)) && (
        <details open={more} onToggle={(event) => setMore(event.currentTarget.open)}>
          <summary>Trust and signature</summary>
          <div className="editor">
            {webhooks.includes(scheme) && (
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
            {withCa.includes(scheme) && (
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
