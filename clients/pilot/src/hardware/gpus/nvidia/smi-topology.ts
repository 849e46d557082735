import { stripVTControlCharacters } from 'node:util';

/**
 * Reads `nvidia-smi topo -m`: sets of indexes of GPUs that are connected by NVLink. Each two GPUs of a set
 * have a link of their own, or over a switch, which the tool shows alike; GPUs that reach each other only
 * over a third are in different sets. A GPU without links is in none.
 */
export function parseSmiTopology(text: string): readonly (readonly number[])[] {
  // The header is underlined with escape sequences.
  const lines = stripVTControlCharacters(text).split('\n');
  const columns =
    /^\s*(GPU\d+\b.*)$/.exec(lines.find((line) => /^\s+GPU\d+/.test(line)) ?? '')?.[1]?.split(/\s+/) ?? [];
  const links: [number, number][] = [];
  for (const line of lines) {
    const [name, ...cells] = line.trim().split(/\s+/);
    const row = gpuIndex(name);
    if (row === undefined || /^\s/.test(line)) continue;
    cells.forEach((cell, at) => {
      const column = gpuIndex(columns[at]);
      if (column !== undefined && /^NV\d+$/.test(cell)) links.push([row, column]);
    });
  }
  return meshes(links);
}

function gpuIndex(name: string | undefined): number | undefined {
  const digits = /^GPU(\d+)$/.exec(name ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The largest set in which each two are linked, then the largest of the rest, and so on. */
function meshes(links: readonly (readonly [number, number])[]): readonly (readonly number[])[] {
  const pairs = new Set(links.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
  const isLinked = (a: number, b: number): boolean => pairs.has(`${a} ${b}`);
  const found: (readonly number[])[] = [];
  let rest = [...new Set(links.flat())].sort((a, b) => a - b);
  while (rest.length > 1) {
    const mesh = largestMesh(rest, isLinked);
    if (mesh.length < 2) break;
    found.push(mesh);
    rest = rest.filter((index) => !mesh.includes(index));
  }
  return found.sort(([a = 0], [b = 0]) => a - b);
}

function largestMesh(
  indexes: readonly number[],
  isLinked: (a: number, b: number) => boolean,
): readonly number[] {
  let best: readonly number[] = [];
  const grow = (mesh: readonly number[], others: readonly number[]): void => {
    if (mesh.length > best.length) best = mesh;
    others.forEach((next, at) => {
      if (mesh.length + others.length - at <= best.length) return;
      const later = others.slice(at + 1).filter((other) => isLinked(next, other));
      grow([...mesh, next], later);
    });
  };
  grow([], indexes);
  return best;
}
