// One rule of a security group in its editor: switch, range or list, and a way to take it out.
import { cleared, type GroupRule, linesOf, valuesOf, windows, windowText } from "./groups";

interface Props {
  rule: GroupRule;
  mayChange: boolean;
  change: (change: Partial<GroupRule>) => void;
  remove: () => void;
}

function Range({ rule, mayChange, change }: Omit<Props, "remove">) {
  const number = (name: "minThreshold" | "maxThreshold", label: string) => (
    <label className="filter">
      <span>{label}</span>
      <input
        type="number"
        min={0}
        max={2147483647}
        step={1}
        value={rule[name] ?? 0}
        disabled={!mayChange}
        onChange={(event) => change({ [name]: Math.max(0, Math.floor(event.target.valueAsNumber || 0)) })}
      />
    </label>
  );
  const size = rule.timeWindowSize;
  return (
    <div className="bar">
      {number("minThreshold", "At least")}
      {number("maxThreshold", "At most")}
      {size !== undefined && (
        <label className="filter">
          <span>In each</span>
          <select value={size} disabled={!mayChange} onChange={(event) => change({ timeWindowSize: event.target.value })}>
            {[...new Set([size, ...windows])].map((one) => <option key={one} value={one}>{windowText(one)}</option>)}
          </select>
        </label>
      )}
    </div>
  );
}

function Values({ rule, mayChange, change }: Omit<Props, "remove">) {
  const list = rule.allowlistValues ? "allowlistValues" : "denylistValues";
  const values = valuesOf(rule) ?? [];
  return (
    <label className="filter wide">
      <span>{list === "allowlistValues" ? "Allowed" : "Denied"}, one a line ({rule.valueType})</span>
      <textarea
        rows={Math.min(12, Math.max(3, values.length + 1))}
        spellCheck={false}
        defaultValue={values.join("\n")}
        disabled={!mayChange}
        onChange={(event) => change({ [list]: linesOf(event.target.value) })}
      />
    </label>
  );
}

export function GroupRuleEditor({ rule, mayChange, change, remove }: Props) {
  return (
    <li className="rule">
      <div className="bar">
        <label className="switch">
          <input type="checkbox" checked={rule.isEnabled} disabled={!mayChange} onChange={(event) => change({ isEnabled: event.target.checked })} />
          <strong>{rule.displayName}</strong>
        </label>
        {mayChange && (
          <button type="button" onClick={() => { change(cleared(rule)); remove(); }} aria-label={`Take out: ${rule.displayName}`}>Take out</button>
        )}
      </div>
      <p className="quiet">{rule.description}</p>
      {valuesOf(rule) ? <Values rule={rule} mayChange={mayChange} change={change} /> : <Range rule={rule} mayChange={mayChange} change={change} />}
    </li>
  );
}
