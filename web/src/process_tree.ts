// Who started whom around an alert, out of process events: pure.
export interface ProcessRow {
  time: string;
  pid: number;
  parent: number;
  user: string;
  command: string;
}
export interface ProcessNode extends ProcessRow {
  meant: boolean; // what the alert is about
  children: ProcessNode[];
}

const nodesMax = 80;

/**
 * The processes that `isMeant` names, with all their stored ancestors and descendants, as trees of the oldest first. Ids are used again
 * by systems: a parent is the newest process of that id that began no later. `rows` are in order of time.
 */
export function processTrees(rows: ProcessRow[], isMeant: (row: ProcessRow) => boolean): ProcessNode[] {
  const nodes: ProcessNode[] = rows.map((row) => ({ ...row, meant: isMeant(row), children: [] }));
  const newest = new Map<number, ProcessNode>();
  const parents = new Map<ProcessNode, ProcessNode>();
  for (const node of nodes) {
    const parent = node.parent === node.pid ? undefined : newest.get(node.parent);
    if (parent) parents.set(node, parent);
    newest.set(node.pid, node);
  }
  const wanted = new Set<ProcessNode>();
  for (const node of nodes) {
    const above = parents.get(node);
    const below = above !== undefined && wanted.has(above) && (above.meant || descends(above, parents));
    if ((node.meant || below) && wanted.size < nodesMax) wanted.add(node);
    if (node.meant) for (let one = above; one && wanted.size < nodesMax; one = parents.get(one)) wanted.add(one);
  }
  const roots: ProcessNode[] = [];
  for (const node of nodes) {
    if (!wanted.has(node)) continue;
    const parent = parents.get(node);
    if (parent && wanted.has(parent)) parent.children.push(node);
    else roots.push(node);
  }
  return roots;
}

function descends(node: ProcessNode, parents: ReadonlyMap<ProcessNode, ProcessNode>): boolean {
  for (let one = parents.get(node); one; one = parents.get(one)) if (one.meant) return true;
  return false;
}
