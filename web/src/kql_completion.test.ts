import document from "../../docs/kql-support.md?raw";
import { completionsAt, type KqlSchema, wordsOf } from "./kql_completion";
import { describe, expect, it } from "vitest";

describe("completion", () => {
  const schema: KqlSchema = {
    tables: [{ name: "SecurityAlert", columns: [{ name: "AlertType", type: "string" }] }, { name: "AzureDiagnostics", columns: [{ name: "Category", type: "string" }] }],
    words: [{ kind: "operator", name: "summarize", signature: "", note: "" }, { kind: "aggregate", name: "dcount", signature: "dcount(value)", note: "" }, { kind: "function", name: "ago", signature: "ago(timespan)", note: "" }],
  };
  const at = (text: string) => completionsAt(text, schema).map((one) => one.label);
  it("begins with tables, and takes operators behind a bar", () => {
    expect(at("Sec")).toEqual(expect.arrayContaining(["SecurityAlert", "AzureDiagnostics", "union"]));
    expect(at("SecurityAlert\n| sum")).toEqual(["summarize"]);
    expect(at("let x = 1;\n")).toEqual(expect.arrayContaining(["SecurityAlert", "x"]));
    expect(at("SecurityAlert | join kind=inner (")).toContain("AzureDiagnostics");
  });
  it("knows the columns of the tables that are named, and those that the query makes", () => {
    const found = at("SecurityAlert | extend Day = bin(StartTime, 1d) | where ");
    expect(found).toEqual(expect.arrayContaining(["AlertType", "Day", "ago", "has"]));
    expect(found).not.toContain("Category");
    expect(found).not.toContain("dcount");
    expect(at("SecurityAlert | summarize N = dc")).toEqual(expect.arrayContaining(["dcount", "AlertType"]));
    expect(at("SecurityAlert | where AlertType in (")).not.toContain("union");
  });
  it("says nothing inside texts and comments", () => {
    expect(at('SecurityAlert | where AlertType == "Sec')).toEqual([]);
    expect(at("// Sec")).toEqual([]);
    expect(at('SecurityAlert | where AlertType == "a|b" | ')).toEqual(["summarize"]);
    expect(at("print @'c:\\' | ")).toEqual(["summarize"]);
  });
});

describe("the words of KQL", () => {
  it("are those of the compiler's document", () => {
    const words = wordsOf(document);
    const kindOf = (name: string) => words.find((word) => word.name === name)?.kind;
    expect([kindOf("summarize"), kindOf("mv-expand"), kindOf("dcount"), kindOf("strlen"), kindOf("ago")]).toEqual(["operator", "operator", "aggregate", "function", "function"]);
    expect(kindOf("externaldata")).toBeUndefined();
    expect(words.find((word) => word.name === "arg_max")?.signature).toBe("arg_max(value, column, …|*)");
    expect(words.length).toBeGreaterThan(150);
  });
});
