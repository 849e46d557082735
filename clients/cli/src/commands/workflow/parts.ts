/** Division of the nodes of a file into calls. */

/** Most nodes of a workflow that is submitted whole, and of a part. */
const maxNodes = 20_000;
const maxPartNodes = 5000;
/** Most parts of a workflow. */
export const maxParts = 200;
/** Characters of JSON whose payloads core never counts as more than 16 MiB. */
const maxCharacters = 7 * 1_048_576;

/**
 * Divides nodes into parts; a single one if they fit into one call. The same nodes always give the same
 * parts, so that a submission can be repeated.
 * @param nodesPerPart most nodes of a part; undefined for as few parts as there may be
 */
export function partsOf<Node>(nodes: readonly Node[], nodesPerPart?: number): Node[][] {
  const characters = nodes.map((node) => JSON.stringify(node).length);
  const all = characters.reduce((sum, one) => sum + one, 0);
  if (nodesPerPart === undefined && nodes.length <= maxNodes && all <= maxCharacters) return [[...nodes]];
  const most = nodesPerPart ?? maxPartNodes;
  const parts: Node[][] = [];
  let part: Node[] = [];
  let size = 0;
  for (const [at, node] of nodes.entries()) {
    const own = characters[at] ?? 0;
    if (part.length > 0 && (part.length >= most || size + own > maxCharacters)) {
      parts.push(part);
      [part, size] = [[], 0];
    }
    part.push(node);
    size += own;
  }
  parts.push(part);
  return parts;
}
