// Findings as lines rather than rows: a severity, a name that opens it, and what else there is to say.
import type { ReactNode } from "react";
import { SeverityMark } from "./marks";
import type { Severity } from "./model";

export interface FindingLine {
  id: string;
  severity?: Severity;
  name: string;
  more: ReactNode;
}

export function FindingList({ lines, open }: { lines: readonly FindingLine[]; open: (id: string) => void }) {
  return (
    <ul className="findings">
      {lines.map((line) => (
        <li key={line.id}>
          {line.severity && <SeverityMark severity={line.severity} />}
          <button type="button" className="link" onClick={() => open(line.id)}>{line.name}</button>
          {line.more}
        </li>
      ))}
    </ul>
  );
}
