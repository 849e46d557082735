import { describe, expect, it } from '@jest/globals';
import { posix } from 'node:path';
import { importsOf, read, repositoryFiles, valueImportsOf, workspacePackages } from './repository.js';

// Imports of types count, too: a cycle of types means that a type is declared in the wrong module. Generated
// modules are an exception: the generated types of resolvers and the resolvers name each other.

type Graph = ReadonlyMap<string, readonly string[]>;

const allSources = repositoryFiles().filter((path) => /\.tsx?$/.test(path));
const texts = new Map(allSources.map((path) => [path, read(path)]));
const written = allSources.filter((path) => !path.endsWith('.generated.ts'));

/** Imports of each of the sources below a folder that stay below it. */
function importGraph(
  folder: string,
  all: readonly string[],
  importsIn: (text: string) => readonly string[],
): Graph {
  const sources = all.filter((path) => path.startsWith(`${folder}/`));
  const known = new Set(sources);
  const target = (from: string, specifier: string): readonly string[] => {
    const stem = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '');
    return [`${stem}.ts`, `${stem}.tsx`].filter((path) => known.has(path));
  };
  return new Map(
    sources.map((path) => {
      const inside = importsIn(texts.get(path) ?? '').filter((specifier) => specifier.startsWith('.'));
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
  const folders = workspacePackages().map(({ name, folder }) => [name, folder] as const);

  it.each(folders)('has no cycle, including types: %s', (_name, folder) => {
    expect(cyclesOf(importGraph(folder, written, importsOf))).toEqual([]);
  });

  it.each(folders)('has no cycle of values, including generated modules: %s', (_name, folder) => {
    expect(cyclesOf(importGraph(folder, allSources, valueImportsOf))).toEqual([]);
  });
});

describe('the graph of packages', () => {
  it('has no cycle', () => {
    const packages = workspacePackages();
    const graph = new Map(packages.map(({ name, dependencies }) => [name, Object.keys(dependencies)]));
    expect(cyclesOf(graph)).toEqual([]);
  });
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
