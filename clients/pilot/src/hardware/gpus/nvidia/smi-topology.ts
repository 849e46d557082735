import { stripVTControlCharacters } from 'node:util';

/**
 * Reads `nvidia-smi topo -m`: which GPUs are connected by NVLink, as sets of their indexes. GPUs that reach each other over others
 * are in one set; one without links is in none.
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
  return connected(links);
}

function gpuIndex(name: string | undefined): number | undefined {
  const digits = /^GPU(\d+)$/.exec(name ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function connected(links: readonly (readonly [number, number])[]): readonly (readonly number[])[] {
  const sets: Set<number>[] = [];
  for (const [a, b] of links) {
    const touched = sets.filter((set) => set.has(a) || set.has(b));
    const merged = new Set([a, b, ...touched.flatMap((set) => [...set])]);
    for (const set of touched) sets.splice(sets.indexOf(set), 1);
    sets.push(merged);
  }
  return sets.map((set) => [...set].sort((a, b) => a - b));
}
