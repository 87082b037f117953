// Talking to the server that served this page.
import { EventParser, type StreamEvent } from "./event_stream";
import type { Render } from "./chart";
import type { ResultTable } from "./tables";

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly details?: unknown) {
    super(message);
  }
}

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
export type QueryTable = ResultTable & { partial: boolean; render?: Render };

interface QueryAnswer {
  render?: Render;
  tables?: ResultTable[];
  error?: { message?: string; innererror?: { message?: string; line?: number; pos?: number; length?: number } };
}

export class Api {
  constructor(private readonly token: string) {}

  private headers(): Record<string, string> {
    return { authorization: `Bearer ${this.token}` };
  }

  private async read(path: string, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(path, { headers: this.headers(), ...(signal && { signal }) });
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await this.read(path, signal)).json()) as T;
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this.read(path, signal)).text();
  }

  /** Changes something: `body` goes as it is when it is text or a file, as JSON otherwise. What the server answers, null for nothing. */
  async send<T>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T | null> {
    const response = await fetch(path, {
      method,
      headers: this.headers(),
      ...(body !== undefined && { body: typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body) }),
    });
    if (!response.ok) throw await refusal(response);
    const text = await response.text();
    return text === "" ? null : (JSON.parse(text) as T);
  }

  /** The first table of a KQL query; `timespan` is an ISO 8601 duration before now. Throws Refusal. */
  async query(workspace: string, query: string, timespan: string | null, signal: AbortSignal): Promise<QueryTable> {
    const response = await fetch(`/v1/workspaces/${encodeURIComponent(workspace)}/query`, {
      method: "POST",
      headers: { ...this.headers(), prefer: "include-render=true" },
      body: JSON.stringify({ query, ...(timespan && { timespan }) }),
      signal,
    });
    const answer = (await response.json()) as QueryAnswer;
    const table = answer.tables?.[0];
    if (response.ok && table) return { ...table, partial: answer.error !== undefined, ...(answer.render && { render: answer.render }) };
    const inner = answer.error?.innererror;
    const place = inner?.line ? { line: inner.line, column: inner.pos ?? 1, length: inner.length ?? 1 } : null;
    throw new Refusal(response.status, inner?.message ?? answer.error?.message ?? response.statusText, place);
  }

  /** Calls back with each event until the server or the signal ends the stream. */
  async events(path: string, signal: AbortSignal, onEvent: (event: StreamEvent) => void): Promise<void> {
    const response = await fetch(path, { headers: this.headers(), signal });
    if (!response.ok || !response.body) throw await refusal(response);
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) onEvent(event);
    }
  }
}
