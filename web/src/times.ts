// Times as people read them: their own zone, with UTC to be had.
const seconds = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const ofThisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...seconds });
const ofAnyYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", ...seconds });
const clock = new Intl.DateTimeFormat(undefined, seconds);
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

const formatted = (iso: string, format: (time: Date) => string): string => {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : format(time);
};

/** The year is said where it is another than `now`'s. */
export const localText = (iso: string, now: number = Date.now()): string =>
  formatted(iso, (time) => (time.getFullYear() === new Date(now).getFullYear() ? ofThisYear : ofAnyYear).format(time));
export const localClock = (iso: string): string => formatted(iso, (time) => clock.format(time));
export const localDay = (iso: string): string => formatted(iso, (time) => day.format(time));

export function utcText(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "just now", "5 min ago", "3 h ago", "12 d ago"; a time ahead of `now` (another clock) counts as now. */
export function age(iso: string, now: number): string {
  const seconds = Math.max(0, (now - new Date(iso).getTime()) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** How long after `from`: "+3 s", "+2 min 5 s", "−1 h 0 min"; empty where either is no time. */
export function offsetText(from: string, iso: string): string {
  const seconds = Math.round((new Date(iso).getTime() - new Date(from).getTime()) / 1000);
  if (Number.isNaN(seconds)) return "";
  const sign = seconds < 0 ? "−" : "+";
  const whole = Math.abs(seconds);
  if (whole < 60) return `${sign}${whole} s`;
  if (whole < 3600) return `${sign}${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${sign}${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const dayMs = 86_400_000;

/** The mark New depends on age only: spec/alerts.md section 3. */
export function isNew(iso: string, now: number): boolean {
  return now - new Date(iso).getTime() < dayMs;
}

/** "PT5M" → "5 min", "P1DT2H" → "1 d 2 h"; what is no duration stays. */
export function durationText(iso: string): string {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$/.exec(iso);
  if (!found) return iso;
  const parts = (["d", "h", "min", "s"] as const).flatMap((unit, at) => (Number(found[at + 1] ?? 0) > 0 ? [`${Number(found[at + 1])} ${unit}`] : []));
  return parts.length === 0 ? "0 s" : parts.join(" ");
}
