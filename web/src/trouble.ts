// What went wrong, in the server's words, and what a person can do about it: pure.
export interface Trouble {
  what: string;
  todo: string; // "" where the server's sentence says it
}

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly details?: unknown) {
    super(message);
  }
}

/** Somebody else changed meanwhile what this change was made from. */
export const isConflict = (reason: unknown): boolean => reason instanceof ApiError && reason.status === 412;

const todos: Readonly<Record<number, string>> = {
  403: "Your role does not suffice: ask an administrator, or sign in as somebody else.",
  404: "It may have been removed or renamed: go back to the list.",
  412: "Somebody else changed it meanwhile: reload, and make the change again.",
  413: "Send less at once.",
  429: "Wait a moment and try again.",
  503: "The server is busy or still starting: try again in a moment; System health says how far it is.",
  504: "Ask for a shorter time range, or for fewer rows.",
};

export function troubleOf(reason: unknown): Trouble {
  if (reason instanceof ApiError) return { what: reason.message, todo: todos[reason.status] ?? (reason.status >= 500 ? "Try again; the server's log says more." : "") };
  // fetch says TypeError for every way in which a server cannot be reached (WHATWG Fetch, "network error").
  if (reason instanceof TypeError) return { what: "The server does not answer.", todo: "Look whether it runs (fieldwatch doctor) and whether this machine reaches it, then try again." };
  return { what: reason instanceof Error ? reason.message : String(reason), todo: "" };
}
