// A query of one's own over the workspace: text, time range, rows, or where in the text it went wrong.
import { useCallback, useEffect, useRef, useState } from "react";
import { type Api, type QueryTable, Refusal } from "./api";
import { QueryEditor } from "./query_editor";
import { QueryResult } from "./query_result";
import { useMay } from "./rights";
import { SavedQueries } from "./saved_queries";
import { filtersTime } from "./tables";

const ranges: [string, string][] = [
  ["PT1H", "Last hour"],
  ["P1D", "Last 24 hours"],
  ["P7D", "Last 7 days"],
  ["P30D", "Last 30 days"],
];
const examples: [string, string][] = [
  ["What ran", 'SecurityIoTRawEvent\n| where RawEventName == "ProcessCreate"\n| extend E = parse_json(EventDetails)\n| project TimeStamp, DeviceId, User = tostring(E.UserName), Command = tostring(E.CommandLine)\n| order by TimeStamp desc\n| take 100'],
  ["Who connected where", 'SecurityIoTRawEvent\n| where RawEventName == "ConnectionCreate"\n| extend E = parse_json(EventDetails)\n| summarize Connections = count() by DeviceId, Remote = tostring(E.RemoteAddress), Port = tostring(E.RemotePort)\n| order by Connections desc'],
  ["Failed logins", 'SecurityIoTRawEvent\n| where RawEventName == "Login"\n| extend E = parse_json(EventDetails)\n| where tostring(E.Result) == "Fail"\n| summarize Attempts = count(), Last = max(TimeStamp) by DeviceId, User = tostring(E.UserName), Remote = tostring(E.RemoteAddress)\n| order by Attempts desc'],
  ["Failed checks", 'SecurityIoTRawEvent\n| where RawEventName in ("OSBaseline", "Baseline") and IsEmpty == false\n| extend E = parse_json(EventDetails)\n| extend Result = coalesce(tostring(E.Result), tostring(E.BaselineCheckResult)), Check = coalesce(tostring(E.CceId), tostring(E.BaselineCheckId)), Description = coalesce(tostring(E.Description), tostring(E.BaselineCheckDescription))\n| summarize arg_max(TimeStamp, Result, Description) by Check, DeviceId\n| where Result !in~ ("PASS", "PASSED")\n| summarize Devices = dcount(DeviceId), Which = make_set(DeviceId, 20) by Check, Description\n| order by Devices desc'],
  ["Events by kind", "SecurityIoTRawEvent\n| summarize Events = count() by DeviceId, RawEventName\n| order by Events desc"],
  ["Alerts by day", "SecurityAlert\n| summarize arg_max(TimeGenerated, *) by SystemAlertId\n| summarize Alerts = count() by bin(StartTime, 1d), AlertSeverity\n| render columnchart"],
];

/** The line that a refusal names, the place underlined. */
function Failure({ refusal, query }: { refusal: Refusal; query: string }) {
  const { place } = refusal;
  const line = place === null ? undefined : query.split("\n")[place.line - 1];
  return (
    <div role="alert" className="note error failure">
      <p>{refusal.message}</p>
      {place !== null && line !== undefined && (
        <pre>
          {line.slice(0, place.column - 1)}
          <mark>{line.slice(place.column - 1, place.column - 1 + Math.max(1, place.length)) || " "}</mark>
          {line.slice(place.column - 1 + Math.max(1, place.length))}
        </pre>
      )}
    </div>
  );
}

interface Props {
  api: Api;
  hub: string;
  workspace: string;
  now: number;
  asked: string | null; // from the address, as is the next
  askedSpan: string;
  keep: (query: string, span: string) => void;
}
interface Outcome {
  tables: QueryTable[];
  refusal: Refusal | null;
  query: string;
  ms: number;
}

export function Logs({ api, hub, workspace, now, asked, askedSpan, keep }: Props) {
  const [given, setGiven] = useState({ text: asked ?? examples[0]?.[1] ?? "" });
  const [query, setQuery] = useState(given.text);
  const linked = ranges.some(([value]) => value === askedSpan) ? askedSpan : "P30D"; // a link's alert may be weeks old
  const [range, setRange] = useState(asked === null ? "P1D" : linked);
  const [running, setRunning] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const abort = useRef<AbortController>(undefined);
  const inQuery = filtersTime(query);
  const may = useMay("analyst");

  const run = useCallback(
    async (text: string, timespan: string) => {
      abort.current?.abort();
      const mine = (abort.current = new AbortController());
      const began = performance.now();
      setRunning(true);
      const done = { query: text, ms: 0, tables: [], refusal: null };
      try {
        const tables = await api.queryTables(workspace, text, filtersTime(text) ? null : timespan, mine.signal);
        setOutcome({ ...done, tables, ms: performance.now() - began });
      } catch (reason) {
        if (mine.signal.aborted) return;
        setOutcome({ ...done, refusal: reason instanceof Refusal ? reason : new Refusal(0, String(reason), null) });
      }
      setRunning(false);
    },
    [api, workspace],
  );
  const ask = (text: string) => {
    if (!may.yes) return;
    keep(text, filtersTime(text) ? "" : range);
    void run(text, range);
  };
  useEffect(() => {
    if (asked !== null && may.yes) void run(asked, linked);
    return () => abort.current?.abort();
    // Only what the address asked for at first; later runs are asked for by the viewer.
  }, [may.yes]);

  const tables = outcome?.tables ?? [];
  return (
    <main className="logs">
      <section className="card">
        <QueryEditor api={api} workspace={workspace} query={query} given={given} refusal={outcome?.query === query ? outcome.refusal : null} change={setQuery} run={ask} />
        <div className="bar">
          <button type="button" className="primary" onClick={() => ask(query)} disabled={running || !may.yes}>
            {running ? "Running…" : "Run"}
          </button>
          <label>
            <span className="unseen">Time range</span>
            <select value={inQuery ? "" : range} disabled={inQuery} onChange={(event) => setRange(event.target.value)}>
              {inQuery && <option value="">Set in query</option>}
              {ranges.map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <span className="quiet">{may.yes ? "Ctrl+Enter runs" : may.why}</span>
          <span className="examples">
            {examples.map(([name, text]) => (
              <button type="button" key={name} onClick={() => { setQuery(text); setGiven({ text }); }}>
                {name}
              </button>
            ))}
          </span>
        </div>
      </section>
      {outcome?.refusal && <Failure refusal={outcome.refusal} query={outcome.query} />}
      {tables.map((table, at) => (
        <QueryResult key={at} table={table} ms={outcome?.ms ?? 0} several={tables.length > 1} />
      ))}
      {may.yes && (
        <SavedQueries
          api={api}
          hub={hub}
          query={query}
          timespan={inQuery ? "" : range}
          now={now}
          open={(one) => {
            setQuery(one.query);
            setGiven({ text: one.query });
            if (ranges.some(([value]) => value === one.timespan)) setRange(one.timespan);
          }}
        />
      )}
    </main>
  );
}
