// Security groups as the API gives and takes them, and what an editor makes of them: pure.
export interface GroupRule {
  ruleType: string;
  displayName: string;
  description: string;
  isEnabled: boolean;
  minThreshold?: number;
  maxThreshold?: number;
  timeWindowSize?: string;
  valueType?: string;
  allowlistValues?: string[];
  denylistValues?: string[];
}
export type GroupProperties = Readonly<Record<string, GroupRule[]>>; // timeWindowRules, allowlistRules, …
export interface Group {
  name: string;
  properties: GroupProperties;
}

const valueLists = ["allowlistValues", "denylistValues"] as const;

export const valuesOf = (rule: GroupRule): string[] | undefined => rule.allowlistValues ?? rule.denylistValues;

/** A rule that somebody has set up: it stays in the editor when it is switched off. */
export function isSetUp(rule: GroupRule): boolean {
  return rule.isEnabled || (valuesOf(rule)?.length ?? 0) > 0 || (rule.minThreshold ?? 0) !== 0 || (rule.maxThreshold ?? 0) !== 0;
}

export const rulesOf = (properties: GroupProperties): GroupRule[] => Object.values(properties).flat();

/** The properties with one rule changed; the others are the same objects. */
export function withRule(properties: GroupProperties, type: string, change: Partial<GroupRule>): GroupProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([list, rules]) => [list, rules.map((rule) => (rule.ruleType === type ? { ...rule, ...change } : rule))]),
  );
}

/** What a rule is when it is taken out of the group: off, and nothing set. */
export function cleared(rule: GroupRule): Partial<GroupRule> {
  const lists = Object.fromEntries(valueLists.filter((list) => rule[list]).map((list) => [list, []]));
  return { isEnabled: false, ...(rule.minThreshold !== undefined && { minThreshold: 0, maxThreshold: 0 }), ...lists };
}

/** Lines of a text box as the values of a list: trimmed, none empty, none twice. */
export function linesOf(text: string): string[] {
  return [...new Set(text.split("\n").map((line) => line.trim()).filter((line) => line !== ""))];
}

/** One sentence about what the rule allows. */
export function saysOf(rule: GroupRule): string {
  const values = valuesOf(rule);
  if (values) {
    const shown = values.slice(0, 3).join(", ") + (values.length > 3 ? ` and ${values.length - 3} more` : "");
    if (rule.denylistValues) return values.length === 0 ? "denies nothing" : `denies ${shown}`;
    return values.length === 0 ? "allows nothing" : `allows ${shown}`;
  }
  return `allows ${rule.minThreshold} to ${rule.maxThreshold}${rule.timeWindowSize ? ` in ${windowText(rule.timeWindowSize)}` : ""}`;
}

export const windows = ["PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"] as const;

/** "PT010M" → "10 minutes"; what is no plain number of one unit stays as it is. */
export function windowText(iso: string): string {
  const match = /^P(?:T0*(\d+)([HM])|0*(\d+)D)$/.exec(iso);
  if (!match) return iso;
  const count = Number(match[1] ?? match[3]);
  const unit = match[3] !== undefined ? "day" : match[2] === "H" ? "hour" : "minute";
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
