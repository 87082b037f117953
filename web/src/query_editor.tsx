// Where a query is written: a plain text box at once, the editor with completion when it has loaded.
import { useEffect, useRef, useState } from "react";
import { type Api, Refusal } from "./api";
import type { Editor } from "./editor_library";
import type { KqlSchema } from "./kql_completion";

interface Props {
  api: Api;
  workspace: string;
  query: string;
  given: { text: string }; // what was put in from outside; each putting-in is another object
  refusal: Refusal | null; // of this very text
  change: (query: string) => void;
  run: (query: string) => void;
}

async function readSchema(api: Api, workspace: string, signal: AbortSignal): Promise<KqlSchema> {
  const [{ tables }, { words }] = await Promise.all([
    api.get<{ tables: KqlSchema["tables"] }>(`/v1/workspaces/${encodeURIComponent(workspace)}/metadata`, signal),
    import("./kql_words"),
  ]);
  return { tables, words };
}

const label = "Query in KQL";

export function QueryEditor({ api, workspace, query, given, refusal, change, run }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const [editor, setEditor] = useState<Editor | null>(null);
  const latest = useRef({ query, change, run });
  latest.current = { query, change, run };
  useEffect(() => {
    const abort = new AbortController();
    let made: Editor | null = null;
    void Promise.all([import("./editor_library"), readSchema(api, workspace, abort.signal)]).then(
      ([library, schema]) => {
        if (abort.signal.aborted || !place.current) return;
        const focused = document.activeElement === box.current;
        made = library.createEditor({
          place: place.current,
          label,
          text: latest.current.query,
          schema,
          changed: (text) => latest.current.change(text),
          run: (text) => latest.current.run(text),
        });
        setEditor(made);
        if (focused) made.focus();
      },
      () => undefined, // the plain text box stays
    );
    return () => {
      abort.abort();
      made?.end();
    };
  }, [api, workspace]);
  // The editor's own text does not come back to it: by the time it did, more might have been typed.
  const shown = useRef(given);
  useEffect(() => {
    if (shown.current !== given) editor?.show(given.text);
    shown.current = given;
  }, [editor, given]);
  useEffect(() => {
    editor?.mark(refusal?.place ?? null, refusal?.message ?? "");
  }, [editor, refusal]);
  return (
    <div className="query">
      <div ref={place} hidden={editor === null} className="query-editor" />
      {editor === null && (
        <textarea
          ref={box}
          aria-label={label}
          spellCheck={false}
          rows={Math.min(16, Math.max(6, query.split("\n").length + 1))}
          value={query}
          onChange={(event) => change(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
            event.preventDefault();
            run(event.currentTarget.value);
          }}
        />
      )}
    </div>
  );
}
