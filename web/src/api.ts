// Talking to the server that served this page.
import { EventParser, type StreamEvent } from "./event_stream";

export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    return new ApiError(response.status, body.error?.message ?? response.statusText);
  } catch {
    return new ApiError(response.status, `${response.status} ${response.statusText}`);
  }
}

export class Api {
  constructor(private readonly token: string) {}

  private headers(): Record<string, string> {
    return { authorization: `Bearer ${this.token}` };
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await fetch(path, { headers: this.headers(), ...(signal && { signal }) });
    if (!response.ok) throw await refusal(response);
    return (await response.json()) as T;
  }

  async post(path: string): Promise<void> {
    const response = await fetch(path, { method: "POST", headers: this.headers() });
    if (!response.ok) throw await refusal(response);
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
