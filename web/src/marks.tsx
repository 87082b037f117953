// Small pieces that several parts show: severities, times, states.
import type { ReactElement } from "react";
import type { Severity } from "./model";
import { age, localClock, localText, utcText } from "./times";

// A shape of its own for each severity: it must read without its colour.
const shapes: Record<Severity, ReactElement> = {
  High: <path d="M8 1.200 15.200 14H.8zM7.200 5.500h1.600v4.600H7.200zm0 5.600h1.600v1.600H7.200z" fillRule="evenodd" />,
  Medium: <path d="M8 .8 15.200 8 8 15.200.8 8zM7.200 4.500h1.600v4.300H7.200zm0 5.200h1.600v1.600H7.200z" fillRule="evenodd" />,
  Low: <path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zm-3.500 6.200v1.600h7V7.200z" fillRule="evenodd" />,
  Informational: <path d="M2 2h12v12H2zm5.200 2.200v1.600h1.600V4.200zm0 3v4.600h1.600V7.200z" fillRule="evenodd" />,
};

export function SeverityIcon({ severity }: { severity: Severity }) {
  return (
    <svg className={`severity-icon ${severity}`} viewBox="0 0 16 16" width="1em" height="1em" aria-hidden="true">
      {shapes[severity] ?? shapes.Informational}
    </svg>
  );
}

export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <span className={`severity ${severity}`}>
      <SeverityIcon severity={severity} />
      {severity}
    </span>
  );
}

/** In the viewer's zone; UTC on hover and for screen readers that read titles. */
export function Time({ iso, now, relative = false, clock = false }: { iso: string | null; now: number; relative?: boolean; clock?: boolean }) {
  if (iso === null || iso === "") return <span className="quiet">never</span>;
  return (
    <time dateTime={iso} title={relative ? `${localText(iso)} · ${utcText(iso)}` : utcText(iso)}>
      {relative ? age(iso, now) : clock ? localClock(iso) : localText(iso, now)}
    </time>
  );
}
