// The ordered rules of a hub's IP filter, edited in place.
import type { FilterRule } from "./model";

const rulesMax = 10;

interface Props {
  rules: FilterRule[];
  mayChange: boolean;
  change: (rules: FilterRule[]) => void;
}

export function FilterRules({ rules, mayChange, change }: Props) {
  const edit = (at: number, what: Partial<FilterRule>) => change(rules.map((rule, index) => (index === at ? { ...rule, ...what } : rule)));
  const up = (at: number) => change(rules.map((rule, index) => (index === at - 1 ? (rules[at] ?? rule) : index === at ? (rules[at - 1] ?? rule) : rule)));
  return (
    <>
      {rules.length === 0 && <p className="quiet">No rule: every address is let in.</p>}
      <ol className="plain">
        {rules.map((rule, at) => (
          <li className="bar" key={at}>
            <label className="filter">
              <span>Name</span>
              <input value={rule.filterName} required disabled={!mayChange} spellCheck={false} onChange={(event) => edit(at, { filterName: event.target.value })} />
            </label>
            <label className="filter">
              <span>Action</span>
              <select value={/^reject$/i.test(rule.action) ? "Reject" : "Accept"} disabled={!mayChange} onChange={(event) => edit(at, { action: event.target.value })}>
                <option>Accept</option>
                <option>Reject</option>
              </select>
            </label>
            <label className="filter">
              <span>Addresses</span>
              <input value={rule.ipMask} required placeholder="203.0.113.0/24" disabled={!mayChange} spellCheck={false} onChange={(event) => edit(at, { ipMask: event.target.value })} />
            </label>
            {mayChange && (
              <>
                <button type="button" disabled={at === 0} onClick={() => up(at)} aria-label={`Move rule ${at + 1} up`}>↑</button>
                <button type="button" onClick={() => change(rules.filter((_, index) => index !== at))} aria-label={`Remove rule ${at + 1}`}>Remove</button>
              </>
            )}
          </li>
        ))}
      </ol>
      {mayChange && rules.length < rulesMax && (
        <button type="button" onClick={() => change([...rules, { filterName: "", action: "Accept", ipMask: "" }])}>Add a rule</button>
      )}
    </>
  );
}
