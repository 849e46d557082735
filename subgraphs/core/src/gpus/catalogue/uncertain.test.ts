import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { gpuModels } from './catalogue.js';
import { cudaReleases } from './cuda-releases.js';

const page = readFileSync(
  new URL('../../../../../../../docs/explanation/gpu-matching.md', import.meta.url),
  'utf8',
);
const section = /### What is not certain\n(.*?)\n## /s.exec(page)?.[1] ?? '';
/** Names between backticks. */
const names = new Set([...section.matchAll(/`([^`]+)`/g)].map(([, name]) => name));

describe('the uncertain facts of the catalogue', () => {
  it('lists every model with an unsourced fact on the matching page, and no other', () => {
    const uncertain = gpuModels.filter(({ confidence }) => confidence === 'LOW').map(({ name }) => name);
    const certain = gpuModels.filter(({ confidence }) => confidence === 'HIGH').map(({ name }) => name);
    expect(uncertain.filter((name) => !names.has(name.replace(/^NVIDIA /, '')))).toEqual([]);
    expect(certain.filter((name) => names.has(name))).toEqual([]);
  });

  it('names each unsourced fact in its row, and marks rows without one as certain', () => {
    for (const row of [...gpuModels, ...cudaReleases]) {
      expect(row.confidence === 'LOW').toBe(row.uncertain.length > 0);
      expect(row.sources.includes('COMMON')).toBe(row.uncertain.length > 0);
    }
  });

  it('marks releases whose package supports no known driver branch as uncertain in that', () => {
    const silent = cudaReleases.filter(({ uncertain }) =>
      uncertain.some((fact) => fact.startsWith('forward')),
    );
    for (const { forwardBranches, version } of silent) {
      expect(forwardBranches).toEqual([]);
      const [major, minor] = version.split('.').map(Number);
      const isInSpan = major === 11 && (minor ?? 0) >= 2;
      expect([version, names.has(version) || isInSpan]).toEqual([version, true]);
    }
  });
});
