// Server-sent events read from a fetch body. EventSource cannot send an Authorization header, and a token does
// not belong into an address.
export interface StreamEvent {
  event: string;
  data: string;
}

/** Feeds on text in pieces of any size; gives whole events (WHATWG HTML section 9.2). */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  push(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    this.rest += text;
    for (;;) {
      const end = this.rest.indexOf("\n");
      if (end < 0) return events;
      const line = this.rest.slice(0, end).replace(/\r$/, "");
      this.rest = this.rest.slice(end + 1);
      if (line !== "") {
        this.field(line);
        continue;
      }
      if (this.data.length > 0) events.push({ event: this.event || "message", data: this.data.join("\n") });
      this.event = "";
      this.data = [];
    }
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    if (name === "data") this.data.push(value);
  }
}
