// A file that a person brings, under a name; what would lose more than half of the one before asks again.
import { useRef, useState } from "react";
import type { Api } from "./api";
import { Outcome, useSaving } from "./saving";
import { isConflict } from "./trouble";

interface Props {
  api: Api;
  address: string; // of all files of the kind
  said: string; // when it is there
  done: () => void;
}

export function FileImport({ api, address, said, done }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  const [name, setName] = useState("");
  const [shrunk, setShrunk] = useState(false);
  const saving = useSaving();
  const bring = async (force: boolean) => {
    const file = chooser.current?.files?.[0];
    if (!file) return;
    setShrunk(false);
    const read = async () => {
      try {
        await api.send("PUT", `${address}/${encodeURIComponent(name || file.name)}${force ? "?force=true" : ""}`, file);
      } catch (reason) {
        if (isConflict(reason)) setShrunk(true);
        throw reason;
      }
    };
    if (await saving.run(read, said)) done();
  };
  return (
    <form className="bar" onSubmit={(event) => { event.preventDefault(); void bring(false); }}>
      <label className="filter">
        <span>File</span>
        <input type="file" ref={chooser} required onChange={(event) => setName(event.target.files?.[0]?.name ?? "")} />
      </label>
      <label className="filter">
        <span>Name here</span>
        <input value={name} spellCheck={false} autoComplete="off" onChange={(event) => setName(event.target.value)} />
      </label>
      <button type="submit" className="primary" disabled={saving.busy || name === ""}>{saving.busy ? "Importing…" : "Import"}</button>
      {shrunk && <button type="button" className="danger" onClick={() => void bring(true)}>Import all the same</button>}
      <Outcome of={saving} />
    </form>
  );
}
