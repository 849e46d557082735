import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { committedSupergraph } from './committed.js';
import { compose } from './compose.js';
import { discoverSubgraphs, gatewaySubgraph } from './discover.js';

const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..');
const subgraphs = [...discoverSubgraphs(root), gatewaySubgraph(root)];
const withoutHead = (text: string | null) => text?.replace(/^(#.*\n)+/, '').trim();

describe('committedSupergraph', () => {
  it('equals the composition of the subgraphs in the repository', () => {
    const composed = compose(subgraphs);
    expect(withoutHead(committedSupergraph(root, subgraphs))).toBe(
      composed.ok ? composed.supergraphSdl.trim() : composed.faults,
    );
  });

  it('has the requested addresses', () => {
    const moved = subgraphs.map((one) => ({ ...one, url: `http://elsewhere.example/${one.name}` }));
    const composed = compose(moved);
    expect(withoutHead(committedSupergraph(root, moved))).toBe(
      composed.ok ? composed.supergraphSdl.trim() : composed.faults,
    );
  });

  it('returns undefined for other subgraphs: fewer, or changed ones', () => {
    expect(committedSupergraph(root, subgraphs.slice(1))).toBeNull();
    const [first, ...rest] = subgraphs;
    const changed = { ...first, sdl: `${first?.sdl}\ntype Added { one: Int }` } as (typeof subgraphs)[number];
    expect(committedSupergraph(root, [changed, ...rest])).toBeNull();
    expect(committedSupergraph('/nowhere', subgraphs)).toBeNull();
  });
});
