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

export function FilterBar({ children, note }: { children: ReactNode; note: ReactNode }) {
  return (
    <div className="bar filters">
      {children}
      <span className="quiet count">{note}</span>
    </div>
  );
}
