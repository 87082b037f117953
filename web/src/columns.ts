// Which columns of a table are shown, and in what order: pure, so that it can be tested without a page.
export type Ids = readonly string[];

/** The ids that a text names, each once; what nobody knows is passed over, what must not be missing comes first. Null: it names none. */
export function idsOf(text: string | null | undefined, known: Ids, fixed: Ids = []): Ids | null {
  const named = (text ?? "").split(",").filter((id, at, all) => known.includes(id) && all.indexOf(id) === at);
  if (named.length === 0) return null;
  return [...fixed.filter((id) => !named.includes(id)), ...named];
}

export const sameIds = (a: Ids, b: Ids): boolean => a.length === b.length && a.every((id, at) => id === b[at]);

/** With `id` at the place `at`; beyond an end is at that end. */
export function placed(ids: Ids, id: string, at: number): Ids {
  const rest = ids.filter((one) => one !== id);
  const place = Math.max(0, Math.min(at, rest.length));
  return [...rest.slice(0, place), id, ...rest.slice(place)];
}

/** The chosen ones of what there is, in the chosen order. */
export const chosen = <One extends { id: string }>(all: readonly One[], ids: Ids): One[] =>
  ids.map((id) => all.find((one) => one.id === id)).filter((one) => one !== undefined);

// What a person chose for a list is kept in this browser; somebody else who signs in here has a choice of their own.
const keyOf = (list: string, who: string) => `fieldwatch.columns.${list}.${who}`;

/** A browser may refuse to keep anything: then the address alone carries the choice. */
export function rememberedColumns(list: string, who: string): string | null {
  try {
    return localStorage.getItem(keyOf(list, who));
  } catch {
    return null;
  }
}

/** "" forgets. */
export function rememberColumns(list: string, who: string, text: string) {
  try {
    if (text === "") localStorage.removeItem(keyOf(list, who));
    else localStorage.setItem(keyOf(list, who), text);
  } catch {
    // not kept: the address still has it
  }
}
