// Alerts per UTC day, stacked by severity. Plain boxes: the first look waits for no library of charts.
import { useState } from "react";
import { SeverityIcon } from "./marks";
import { type Day, severities } from "./model";

const stacked = ["Informational", "Low", "Medium", "High"] as const; // bottom to top: the worst is on top

const totalOf = (day: Day): number => severities.reduce((sum, severity) => sum + day[severity], 0);

/** The top of an axis, at least `most` and at least 4: 2, 4, 6 or 10 times a power of ten, whose halves are whole. */
export function axisTop(most: number): number {
  for (let power = 1; ; power *= 10) {
    const top = [2, 4, 6, 10].map((one) => one * power).find((one) => one >= Math.max(4, most));
    if (top !== undefined) return top;
  }
}

/** "2026-11-22: 3 High, 1 Low", for those who point at it. */
export function dayText(day: Day): string {
  const counts = severities.filter((severity) => day[severity] > 0).map((severity) => `${day[severity].toLocaleString()} ${severity}`);
  return `${day.date}: ${counts.length === 0 ? "none" : counts.join(", ")}`;
}

/** `show`: opens the alerts of a day. */
export function DailyChart({ days, show }: { days: Day[]; show: (date: string) => void }) {
  const [pointed, setPointed] = useState<Day | null>(null);
  const top = axisTop(Math.max(0, ...days.map(totalOf)));
  const total = days.reduce((sum, day) => sum + totalOf(day), 0);
  return (
    <div className="daily">
      <p className="daily-legend" aria-hidden="true">
        <span className="quiet">{pointed ? dayText(pointed) : `${total.toLocaleString()} in all`}</span>
        {severities.map((severity) => <span key={severity}><SeverityIcon severity={severity} /> {severity}</span>)}
      </p>
      <div className="daily-plot" role="img" aria-label={`Alerts per day in the last ${days.length} days, stacked by severity; ${total.toLocaleString()} in all`} onMouseLeave={() => setPointed(null)}>
        {[top, top / 2].map((value) => <span className="daily-line" key={value} style={{ insetBlockEnd: `${(100 * value) / top}%` }}>{value.toLocaleString()}</span>)}
        <div className="daily-days">
          {days.map((day) => (
            <div className="day" key={day.date} title={dayText(day)} onMouseEnter={() => setPointed(day)} onClick={() => totalOf(day) > 0 && show(day.date)}>
              {stacked.filter((severity) => day[severity] > 0).map((severity) => (
                <span key={severity} className={severity} style={{ blockSize: `${(100 * day[severity]) / top}%` }} />
              ))}
            </div>
          ))}
        </div>
      </div>
      <div className="daily-dates" aria-hidden="true">
        {days.map((day, at) => <span key={day.date}>{(days.length - 1 - at) % 5 === 0 && <span>{day.date.slice(5)}</span>}</span>)}
      </div>
    </div>
  );
}
