// What may stand next in a query, from the tables of the workspace and the words that the compiler knows: pure.
export interface KqlWord {
  kind: "operator" | "function" | "aggregate";
  name: string;
  signature: string;
  note: string;
}
/** Operators, aggregates and functions out of docs/kql-support.md: its code spans below the headings that name them. */
export function wordsOf(document: string): KqlWord[] {
  const out: KqlWord[] = [];
  for (const section of document.split(/^## /m).slice(1)) {
    const title = section.slice(0, section.indexOf("\n"));
    if (title === "Operators") {
      const names = section.split("\n").find((line) => line.startsWith("`")) ?? "";
      for (const [, name = ""] of names.matchAll(/`([\w-]+)`/g)) out.push({ kind: "operator", name, signature: "", note: "" });
    }
    const kind = /^Aggregates/.test(title) ? "aggregate" : /^Functions/.test(title) ? "function" : null;
    if (kind === null) continue;
    for (const [, signature = "", name = "", note = ""] of section.matchAll(/^\| `((\w+)\((?:[^`])*)`[^|]*\| (.*) \|$/gm))
      out.push({ kind, name, signature: signature.replaceAll("\\|", "|"), note });
  }
  return out;
}

export interface KqlSchema {
  tables: { name: string; columns: { name: string; type: string }[] }[];
  words: KqlWord[];
}
export interface Completion {
  label: string;
  kind: "table" | "column" | "operator" | "function" | "name" | "word";
  detail: string;
  note: string;
}

const leading = ["let", "print", "range", "datatable", "union", "search", "find"];
const comparing = [
  "and", "or", "not", "in", "!in", "in~", "!in~", "has", "!has", "has_any", "has_all", "contains", "!contains", "startswith", "endswith", "matches regex", "between", "by", "asc", "desc",
];

/** The text without strings and comments, each replaced by blanks of its length; null when the end lies inside one. */
function bare(text: string): string | null {
  let out = "";
  for (let at = 0; at < text.length; ) {
    if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      if (end < 0) return null;
      out += " ".repeat(end - at);
      at = end;
      continue;
    }
    const quote = text[at];
    if (quote !== '"' && quote !== "'") {
      out += quote;
      ++at;
      continue;
    }
    const verbatim = text[at - 1] === "@";
    let end = at + 1;
    while (end < text.length && text[end] !== quote) end += text[end] === "\\" && !verbatim ? 2 : 1;
    if (end >= text.length) return null;
    out += " ".repeat(end + 1 - at);
    at = end + 1;
  }
  return out;
}

/** Completions at the end of `before`; the word being typed is part of it. */
export function completionsAt(before: string, schema: KqlSchema): Completion[] {
  const text = bare(before);
  if (text === null) return [];
  const typed = /[A-Za-z_]\w*$/.exec(text)?.[0] ?? "";
  const until = text.slice(0, text.length - typed.length).trimEnd();
  const words = (kind: KqlWord["kind"]) => schema.words.filter((word) => word.kind === kind);
  const tables = schema.tables.map((table): Completion => ({ label: table.name, kind: "table", detail: `${table.columns.length} columns`, note: "" }));
  const lets = [...text.matchAll(/\blet\s+([A-Za-z_]\w*)\s*=/g)].map(([, name = ""]): Completion => ({ label: name, kind: "name", detail: "let", note: "" }));
  const plain = (labels: string[]): Completion[] => labels.map((label) => ({ label, kind: "word", detail: "", note: "" }));
  if (until.endsWith("|")) return words("operator").map((word) => ({ label: word.name, kind: "operator", detail: "", note: word.note }));
  const statement = until.slice(until.lastIndexOf(";") + 1);
  const source = /(?:^|\()\s*$|\b(?:join|lookup)\b(?:\s+kind\s*=\s*\w+)?\s*\(?$|\bunion\b(?:[^|]*,)?\s*$|^\s*let\s+\w+\s*=$/.test(statement) && !/\b(?:where|extend|project|summarize|by)\b[^|]*$/.test(statement);
  if (source) return [...tables, ...lets, ...plain(leading)];
  const named = schema.tables.filter((table) => new RegExp(`\\b${table.name}\\b`).test(text));
  const columns = new Map<string, Completion>();
  for (const table of named) for (const column of table.columns) columns.set(column.name, { label: column.name, kind: "column", detail: column.type, note: table.name });
  for (const [, name = ""] of text.matchAll(/\b([A-Za-z_]\w*)\s*=(?![=~])/g)) if (!lets.some((one) => one.label === name)) columns.set(name, { label: name, kind: "column", detail: "made here", note: "" });
  columns.delete("kind");
  const call = (word: KqlWord): Completion => ({ label: word.name, kind: "function", detail: word.signature, note: word.note });
  const summing = /\|\s*(?:summarize|make-series)\b[^|]*$/.test(statement) && !/\bby\b[^|]*$/.test(statement);
  return [...columns.values(), ...(summing ? words("aggregate").map(call) : []), ...lets, ...words("function").map(call), ...plain(comparing)];
}
