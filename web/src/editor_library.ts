// The parts of Monaco that the page uses, with KQL in it, in a chunk that loads when somebody writes a query.
import "monaco-editor/editor/contrib/suggest/browser/suggestController";
import "monaco-editor/features/bracketMatching/register";
import "monaco-editor/features/clipboard/register";
import "monaco-editor/features/codeEditor/register";
import "monaco-editor/features/codicon/register";
import "monaco-editor/features/comment/register";
import "monaco-editor/features/find/register";
import "monaco-editor/features/hover/register";
import "monaco-editor/features/linesOperations/register";
import "monaco-editor/features/multicursor/register";
import "monaco-editor/features/snippet/register";
import "monaco-editor/features/wordOperations/register";
import * as monaco from "monaco-editor/editor/editor.api";
import EditorWorker from "monaco-editor/editor/editor.worker?worker";
import type { QueryPlace } from "./api";
import { completionsAt, type Completion, type KqlSchema } from "./kql_completion";

self.MonacoEnvironment = { getWorker: () => new EditorWorker() };

const language = "kql";
const kinds: Record<Completion["kind"], monaco.languages.CompletionItemKind> = {
  table: monaco.languages.CompletionItemKind.Struct,
  column: monaco.languages.CompletionItemKind.Field,
  operator: monaco.languages.CompletionItemKind.Keyword,
  function: monaco.languages.CompletionItemKind.Function,
  name: monaco.languages.CompletionItemKind.Variable,
  word: monaco.languages.CompletionItemKind.Keyword,
};

let schema: KqlSchema = { tables: [], words: [] };

function tokens(): monaco.languages.IMonarchLanguage {
  return {
    defaultToken: "",
    tables: schema.tables.map((table) => table.name),
    operators: [...schema.words.filter((word) => word.kind === "operator").map((word) => word.name), "let", "by", "and", "or", "not", "in", "has", "contains", "between", "on", "kind", "asc", "desc", "with"],
    functions: schema.words.filter((word) => word.kind !== "operator").map((word) => word.name),
    tokenizer: {
      root: [
        [/\/\/.*$/, "comment"],
        [/@"[^"]*"|"(?:[^"\\]|\\.)*"|@'[^']*'|'(?:[^'\\]|\\.)*'/, "string"],
        [/\b\d+(?:\.\d+)?(?:ms|[smhd]|tick|microsecond)?\b/, "number"],
        [/[A-Za-z_][\w-]*/, { cases: { "@tables": "type", "@operators": "keyword", "@functions": "predefined", "@default": "" } }],
      ],
    },
  };
}

function start() {
  monaco.languages.register({ id: language });
  monaco.languages.setLanguageConfiguration(language, {
    comments: { lineComment: "//" },
    brackets: [["(", ")"], ["[", "]"], ["{", "}"]],
    autoClosingPairs: ["()", "[]", "{}", '""', "''"].map(([open = "", close = ""]) => ({ open, close, notIn: ["string", "comment"] })),
    wordPattern: /[A-Za-z_]\w*/,
  });
  monaco.languages.registerCompletionItemProvider(language, {
    triggerCharacters: ["|", " ", "(", ","],
    provideCompletionItems(model, position) {
      const word = model.getWordUntilPosition(position);
      const range = new monaco.Range(position.lineNumber, word.startColumn, position.lineNumber, word.endColumn);
      const before = model.getValueInRange(new monaco.Range(1, 1, position.lineNumber, position.column));
      return {
        suggestions: completionsAt(before, schema).map((one, index) => ({
          label: one.label,
          kind: kinds[one.kind],
          detail: one.detail,
          ...(one.note !== "" && { documentation: one.note }),
          insertText: one.label,
          sortText: String(index).padStart(5, "0"),
          range,
        })),
      };
    },
  });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    monaco.editor.defineTheme("page", {
      base: scheme.matches ? "vs-dark" : "vs",
      inherit: true,
      rules: [
        { token: "comment", foreground: colour("--quiet").slice(1) },
        { token: "string", foreground: colour("--good").slice(1) },
        { token: "number", foreground: colour("--medium").slice(1) },
        { token: "keyword", foreground: colour("--informational").slice(1) },
        { token: "type", foreground: colour("--accent").slice(1), fontStyle: "bold" },
        { token: "predefined", foreground: colour("--low").slice(1) },
      ],
      colors: {
        "editor.background": colour("--ground"),
        "editor.foreground": colour("--ink"),
        "editorWidget.background": colour("--surface"),
        "editorSuggestWidget.background": colour("--surface"),
        "editorSuggestWidget.foreground": colour("--ink"),
        "editorSuggestWidget.selectedBackground": colour("--hover"),
        "editorSuggestWidget.selectedForeground": colour("--ink"),
        "editorSuggestWidget.highlightForeground": colour("--accent"),
        "editorSuggestWidget.focusHighlightForeground": colour("--accent"),
      },
    });
  };
  paint();
  scheme.addEventListener("change", paint);
}
let started = false;

export interface Editor {
  show: (text: string) => void;
  mark: (place: QueryPlace | null, message: string) => void;
  focus: () => void;
  end: () => void;
}
interface Options {
  place: HTMLElement;
  label: string;
  text: string;
  schema: KqlSchema;
  changed: (text: string) => void;
  run: (text: string) => void; // what stands there now, however newly typed
}

const lineHeight = 21;

export function createEditor({ place, label, text, schema: known, changed, run }: Options): Editor {
  schema = known;
  if (!started) start();
  started = true;
  monaco.languages.setMonarchTokensProvider(language, tokens());
  const model = monaco.editor.createModel(text, language);
  const editor = monaco.editor.create(place, {
    model,
    theme: "page",
    ariaLabel: label,
    ariaRequired: false,
    automaticLayout: true,
    contextmenu: false,
    fixedOverflowWidgets: true,
    folding: false,
    fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, monospace',
    fontSize: 13,
    glyphMargin: false,
    lineDecorationsWidth: 8,
    lineHeight,
    lineNumbersMinChars: 3,
    minimap: { enabled: false },
    overviewRulerLanes: 0,
    padding: { top: 8, bottom: 8 },
    quickSuggestions: { other: true, comments: false, strings: false },
    renderLineHighlight: "none",
    scrollBeyondLastLine: false,
    scrollbar: { alwaysConsumeMouseWheel: false },
    tabFocusMode: true, // the keyboard must find its way out
    wordBasedSuggestions: "off",
    wordWrap: "on",
  });
  const fit = () => {
    place.style.blockSize = `${Math.min(20, Math.max(6, model.getLineCount() + 1)) * lineHeight + 16}px`;
  };
  fit();
  model.onDidChangeContent(() => {
    fit();
    monaco.editor.setModelMarkers(model, language, []);
    changed(model.getValue());
  });
  editor.onKeyDown((event) => {
    if (event.keyCode !== monaco.KeyCode.Enter || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    event.stopPropagation();
    run(model.getValue());
  });
  return {
    show: (next) => {
      if (next !== model.getValue()) model.setValue(next);
    },
    mark: (at, message) =>
      monaco.editor.setModelMarkers(
        model,
        language,
        at === null
          ? []
          : [{ severity: monaco.MarkerSeverity.Error, message, startLineNumber: at.line, startColumn: at.column, endLineNumber: at.line, endColumn: at.column + Math.max(1, at.length) }],
      ),
    focus: () => editor.focus(),
    end: () => {
      editor.dispose();
      model.dispose();
    },
  };
}
