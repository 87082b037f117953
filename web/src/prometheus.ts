// The server's counters out of their text form (Prometheus text exposition format 0.0.4): pure.
export interface Series {
  name: string;
  help: string;
  counter: boolean;
  labels: Readonly<Record<string, string>>;
  value: number;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g))
    labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
  return labels;
}

/** Every series in the order of the text; lines that are none are passed over. */
export function seriesOf(text: string): Series[] {
  const help = new Map<string, string>();
  const counters = new Set<string>();
  const out: Series[] = [];
  for (const line of text.split("\n")) {
    const about = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (about?.[1] === "HELP") help.set(about[2] ?? "", about[3] ?? "");
    if (about?.[1] === "TYPE" && about[3] === "counter") counters.add(about[2] ?? "");
    const series = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!series) continue;
    const [, name = "", labels = "", value = ""] = series;
    out.push({ name, help: help.get(name) ?? "", counter: counters.has(name), labels: labelsOf(labels), value: Number(value) });
  }
  return out;
}

const lossWords = /refus|fail|lost|drop|shed|dead|duplicat|late_|throttl|stall|retr|restart|unrouted|denied|evict|overflow|disk_low/;

/** Whether a series counts what did not get through, or had to be done again. */
export const isLoss = (one: Series): boolean => lossWords.test(one.name);

/** "fieldwatch_hub_messages_refused_total{reason="size"}" → ["hub", "messages refused · size"]. */
export function namesOf(one: Series): [part: string, name: string] {
  const [part = "", ...words] = one.name.replace(/^fieldwatch_/, "").replace(/_total$/, "").split("_");
  return [part, [words.join(" "), ...Object.values(one.labels)].filter((text) => text !== "").join(" · ")];
}

/** 1,536 → "1.5 KiB". */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; ++unit) bytes /= 1024;
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}
