// Talking to the server that served this page.
import type { Render } from "./chart";
import { type Credentials, presentSession } from "./credentials";
import { EventParser, type StreamEvent } from "./event_stream";
import type { ResultTable } from "./tables";
import { ApiError } from "./trouble";

async function refusal(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error?: { message?: string; details?: unknown } };
    return new ApiError(response.status, body.error?.message ?? response.statusText, body.error?.details);
  } catch {
    return new ApiError(response.status, `${response.status} ${response.statusText}`);
  }
}

/** Where in a query the server stumbled: line and column from 1. */
export interface QueryPlace {
  line: number;
  column: number;
  length: number;
}
export class Refusal extends ApiError {
  constructor(status: number, message: string, readonly place: QueryPlace | null) {
    super(status, message);
  }
}
export type QueryTable = ResultTable & { name: string; partial: boolean; render?: Render };

interface QueryAnswer {
  render?: Render;
  tables?: (ResultTable & { name: string })[];
  error?: { message?: string; innererror?: { message?: string; line?: number; pos?: number; length?: number } };
}

/** Whether a browser would take a part of the path for a step up, which no escape prevents (WHATWG URL, "double-dot"). */
export const climbs = (path: string): boolean => /(^|\/)(\.|%2e){1,2}(?=\/|$)/i.test(path.replace(/[?#].*$/s, ""));

const throttledTriesMax = 10;

const pause = (seconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });

export class Api {
  /**
   * `renew` is called when the server does not know the credentials any more, once for however many requests wait; it ends when the
   * viewer has signed in again, as the same person, and gives what to go on with. What was asked for is then asked for again.
   */
  constructor(private credentials: Credentials, private readonly renew: () => Promise<Credentials>) {}
  private renewal: Promise<void> | null = null;

  get bySession(): boolean {
    return this.credentials.kind === "session";
  }

  private headers(method: string): Record<string, string> {
    if (this.credentials.kind === "token") return { authorization: `Bearer ${this.credentials.token}` };
    return method === "GET" ? {} : { "x-fieldwatch-csrf": this.credentials.csrf };
  }

  private renewed(): Promise<void> {
    this.renewal ??= this.renew().then((fresh) => {
      this.credentials = fresh;
      this.renewal = null;
    });
    return this.renewal;
  }

  /**
   * Whether there is reason to ask again after a refusal. Another tab may have signed in anew: the cookie is the new session's, and so
   * must the word be that goes with it. A session that is still there was not what the server refused: a wrong password was.
   */
  private async mended(refused: Credentials, status: number): Promise<boolean> {
    if (refused !== this.credentials) return true; // somebody else has done it meanwhile
    if (refused.kind === "session") {
      const present = await presentSession();
      if (present?.csrf === refused.csrf) return false;
      if (present !== null) {
        this.credentials = present;
        return true;
      }
    }
    if (status !== 401) return false;
    await this.renewed();
    return true;
  }

  /** Errors of the answer are the caller's; a session that has ended is mended on the way. */
  private async asked(path: string, init: RequestInit & { method: string }, more: Record<string, string> = {}): Promise<Response> {
    if (climbs(path)) throw new ApiError(400, `Nothing on the server has this name: ${path}`);
    for (;;) {
      const used = this.credentials;
      const response = await fetch(path, { ...init, headers: { ...this.headers(init.method), ...more } });
      const doubtful = response.status === 401 || (response.status === 403 && init.method !== "GET");
      if (!doubtful || !(await this.mended(used, response.status))) return response;
      if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
    }
  }

  private async read(path: string, signal?: AbortSignal): Promise<Response> {
    const response = await this.asked(path, { method: "GET", ...(signal && { signal }) });
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await this.read(path, signal)).json()) as T;
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this.read(path, signal)).text();
  }

  /**
   * Changes something: `body` goes as it is when it is text or a file, as JSON otherwise; what the server answers, null for nothing.
   * `from`: the version that the change is made from; where there is a newer one, the server refuses with 412.
   */
  async send<T>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown, from?: number | string): Promise<T | null> {
    const init = { method, ...(body !== undefined && { body: typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body) }) };
    const response = await this.asked(path, init, from === undefined ? {} : { "if-match": `"${from}"` });
    if (!response.ok) throw await refusal(response);
    const text = await response.text();
    return text === "" ? null : (JSON.parse(text) as T);
  }

  /** Ends the session, if it has not ended already: nobody is asked to sign in for that. */
  async end(): Promise<void> {
    if (this.credentials.kind === "token") return;
    const response = await fetch("/api/v1/session", { method: "DELETE", headers: this.headers("DELETE") });
    if (!response.ok && response.status !== 401) throw await refusal(response);
  }

  /** The first table of a KQL query, as queryTables(). */
  async query(workspace: string, query: string, timespan: string | null, signal: AbortSignal): Promise<QueryTable> {
    return (await this.queryTables(workspace, query, timespan, signal))[0]!;
  }

  /** The tables of a KQL query, at least one; `timespan` is an ISO 8601 duration before now. Throws Refusal. */
  async queryTables(workspace: string, query: string, timespan: string | null, signal: AbortSignal): Promise<QueryTable[]> {
    const ask = () =>
      this.asked(
        `/v1/workspaces/${encodeURIComponent(workspace)}/query`,
        { method: "POST", body: JSON.stringify({ query, ...(timespan && { timespan }) }), signal },
        { prefer: "include-render=true" },
      );
    let response = await ask();
    // Others are running: a page with several tables asks again rather than leave one empty.
    for (let tries = 0; tries < throttledTriesMax && response.status === 429; tries++) {
      await pause(Number(response.headers.get("retry-after")) || 1, signal);
      response = await ask();
    }
    const answer = (await response.json()) as QueryAnswer;
    if (response.ok && answer.tables?.length) {
      const rest = { partial: answer.error !== undefined, ...(answer.render && { render: answer.render }) };
      return answer.tables.map((table) => ({ ...table, ...rest }));
    }
    const inner = answer.error?.innererror;
    const place = inner?.line ? { line: inner.line, column: inner.pos ?? 1, length: inner.length ?? 1 } : null;
    throw new Refusal(response.status, inner?.message ?? answer.error?.message ?? response.statusText, place);
  }

  /** Calls back with each event until the server or the signal ends the stream. */
  async events(path: string, signal: AbortSignal, onEvent: (event: StreamEvent) => void): Promise<void> {
    const response = await this.read(path, signal);
    if (!response.body) return;
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) onEvent(event);
    }
  }
}
