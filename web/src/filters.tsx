// The bar above a list: what it shows, kept in the address so that a link shows the same.
import type { ReactNode } from "react";
import type { Filters } from "./place";

interface SelectProps {
  label: string;
  name: string;
  filters: Filters;
  change: (filters: Filters) => void;
  options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ label, name, filters, change, options }: SelectProps) {
  return (
    <label className="filter">
      <span>{label}</span>
      <select value={filters[name] ?? ""} onChange={(event) => change({ ...filters, [name]: event.target.value })}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Search({ label, name, filters, change }: Omit<SelectProps, "options">) {
  return (
    <label className="filter">
      <span>{label}</span>
      <input type="search" value={filters[name] ?? ""} spellCheck={false} onChange={(event) => change({ ...filters, [name]: event.target.value })} />
    </label>
  );
}

/** A day as the server counts them. */
export function Day({ label, name, filters, change }: Omit<SelectProps, "options">) {
  return (
    <label className="filter">
      <span>{label}</span>
      <input type="date" value={filters[name] ?? ""} onChange={(event) => change({ ...filters, [name]: event.target.value })} />
    </label>
  );
}

/** `clear`: shows all again; offered where something is filtered. */
export function FilterBar({ children, note, clear }: { children: ReactNode; note: ReactNode; clear?: (() => void) | undefined }) {
  return (
    <div className="bar filters">
      {children}
      {clear && <button type="button" onClick={clear}>Clear</button>}
      <span className="quiet count">{note}</span>
    </div>
  );
}

/** Whether any of them narrows the list; `how` names those that only say how it is shown. */
export const isNarrowed = (filters: Filters, ...how: readonly string[]): boolean => Object.entries(filters).some(([name, value]) => value !== "" && !how.includes(name));
