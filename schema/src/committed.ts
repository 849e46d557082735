/**
 * The committed supergraph, for those who start the subgraphs of this repository as they are: composing takes
 * its time.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SubgraphInput } from './compose.js';

/** Where it lies, relative to the root. */
export const supergraphPath = 'schema/supergraph.graphql';

const madeOf = '# Made of: ';

/** The head of the file: who writes it, and a digest of what it is made of. */
export function supergraphHead(subgraphs: readonly SubgraphInput[]): string {
  return `# Written by \`npm run generate\`. Do not edit.\n${madeOf}${fingerprintOf(subgraphs)}\n`;
}

/**
 * The committed supergraph with the addresses of these subgraphs; null where it is not made of exactly these,
 * because one has changed since, or others are asked for.
 */
export function committedSupergraph(root: string, subgraphs: readonly SubgraphInput[]): string | null {
  const file = join(root, supergraphPath);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (!text.includes(`${madeOf}${fingerprintOf(subgraphs)}\n`)) return null;
  const urls = new Map(subgraphs.map(({ name, url }) => [name, url]));
  return text.replaceAll(
    /@join__graph\(name: "([^"]+)", url: "([^"]*)"\)/g,
    (_, name: string, url: string) => `@join__graph(name: "${name}", url: "${urls.get(name) ?? url}")`,
  );
}

/** Of names and words alone: addresses may differ. */
function fingerprintOf(subgraphs: readonly SubgraphInput[]): string {
  const parts = subgraphs.map(({ name, sdl }) => [name, sdl]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
