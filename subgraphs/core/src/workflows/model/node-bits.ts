/** Sets of nodes as one bit for each: a step that concerns 100,000 nodes takes 12,500 bytes. */

/** Bits of a set of positions. */
export function bitsOfNodes(nodes: ReadonlySet<number>): Uint8Array {
  let highest = -1;
  for (const node of nodes) if (node > highest) highest = node;
  const bits = new Uint8Array(Math.floor(highest / 8) + 1);
  for (const node of nodes) bits[node >> 3] = (bits[node >> 3] ?? 0) | (1 << (node & 7));
  return bits;
}

/** Positions whose bits are set. */
export function nodesFromBits(bits: Uint8Array): Set<number> {
  const nodes = new Set<number>();
  bits.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit += 1) if ((byte & (1 << bit)) !== 0) nodes.add(at * 8 + bit);
  });
  return nodes;
}
