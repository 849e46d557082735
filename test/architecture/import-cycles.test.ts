import { describe, expect, it } from '@jest/globals';
import { posix } from 'node:path';
import { importsOf, read, repositoryFiles, workspacePackages } from './repository.js';

// `import-x/no-cycle` sees imports of values in all packages, and passes over imports of types. Here types
// count, too: a cycle of types means that a type is declared in the wrong module.

type Graph = ReadonlyMap<string, readonly string[]>;

/** Imports of each source below a folder that stay below it. */
function importGraph(folder: string): Graph {
  const sources = repositoryFiles().filter(
    (path) => path.startsWith(`${folder}/`) && /\.tsx?$/.test(path) && !path.endsWith('.generated.ts'),
  );
  const known = new Set(sources);
  const target = (from: string, specifier: string): readonly string[] => {
    const stem = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '');
    return [`${stem}.ts`, `${stem}.tsx`].filter((path) => known.has(path));
  };
  return new Map(
    sources.map((path) => {
      const inside = importsOf(read(path)).filter((specifier) => specifier.startsWith('.'));
      return [path, inside.flatMap((specifier) => target(path, specifier))];
    }),
  );
}

/** Modules that reach themselves again, as one path each. */
function cyclesOf(graph: Graph): readonly string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(' → '));
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

describe('imports inside a package', () => {
  it.each(workspacePackages().map(({ name, folder }) => [name, folder] as const))(
    'has no cycle, including types: %s',
    (_name, folder) => {
      expect(cyclesOf(importGraph(folder))).toEqual([]);
    },
  );
});

describe('cyclesOf', () => {
  it('names each module of a cycle', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(cyclesOf(graph)).toEqual(['b → c → b']);
  });
});
