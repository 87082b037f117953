// What is shown once and has to be taken along: a token, a secret, recovery codes.
import { useState } from "react";

export function Secret({ label, value }: { label: string; value: string }) {
  return (
    <label className="filter wide">
      <span>{label}</span>
      <input readOnly value={value} className="device token" onFocus={(event) => event.target.select()} />
    </label>
  );
}

/** A browser may not let a page write to the clipboard: then what is there is selected, to be copied by hand. */
export function CopyButton({ text, copied }: { text: string; copied?: () => void }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      copied?.();
    } catch {
      document.querySelector<HTMLInputElement>("input.token")?.select();
    }
  };
  return <button type="button" autoFocus onClick={() => void copy()}>{done ? "Copied" : "Copy"}</button>;
}
