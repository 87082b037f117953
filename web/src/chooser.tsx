// Choosing rows, to do one thing with all of them: a box in each row, and one in the head for all that are shown.
import type { Column } from "./table";

export interface Chosen {
  ids: ReadonlySet<string>;
  choose: (ids: readonly string[], on: boolean) => void;
}

interface BoxProps {
  ids: readonly string[];
  label: string;
  chosen: Chosen;
}

function Box({ ids, label, chosen }: BoxProps) {
  const count = ids.filter((id) => chosen.ids.has(id)).length;
  const all = ids.length > 0 && count === ids.length;
  return (
    // The whole cell chooses, so that a click beside the box does not open the row.
    <label className="tick" onClick={(event) => event.stopPropagation()}>
      <input
        type="checkbox"
        aria-label={label}
        checked={all}
        ref={(box) => {
          if (box) box.indeterminate = count > 0 && !all;
        }}
        onChange={() => chosen.choose(ids, !all)}
      />
    </label>
  );
}

/** A column of boxes; a row may stand for several ids. */
export function chooser<Row>(rows: readonly Row[], idsOf: (row: Row) => readonly string[], nameOf: (row: Row) => string, chosen: Chosen): Column<Row> {
  return {
    title: "Chosen",
    kind: "tick",
    head: <Box ids={rows.flatMap(idsOf)} label="Choose all in view" chosen={chosen} />,
    cell: (row) => <Box ids={idsOf(row)} label={`Choose ${nameOf(row)}`} chosen={chosen} />,
  };
}
