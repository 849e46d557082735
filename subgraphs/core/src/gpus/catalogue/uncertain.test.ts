import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { gpuModels } from './catalogue.js';
import { cudaReleases } from './cuda-releases.js';

const page = readFileSync(
  new URL('../../../../../../../docs/explanation/gpu-matching.md', import.meta.url),
  'utf8',
);
const told = /### What is not certain\n(.*?)\n## /s.exec(page)?.[1] ?? '';
/** Names between backticks. */
const names = new Set([...told.matchAll(/`([^`]+)`/g)].map(([, name]) => name));

test('the page on matching lists every model with a fact that has no source, and no other', () => {
  const uncertain = gpuModels.filter(({ confidence }) => confidence === 'LOW').map(({ name }) => name);
  const certain = gpuModels.filter(({ confidence }) => confidence === 'HIGH').map(({ name }) => name);
  expect(uncertain.filter((name) => !names.has(name.replace(/^NVIDIA /, '')))).toEqual([]);
  expect(certain.filter((name) => names.has(name))).toEqual([]);
});

test('a fact without a source is named in its row, and a row without such a fact is certain', () => {
  for (const row of [...gpuModels, ...cudaReleases]) {
    expect(row.confidence === 'LOW').toBe(row.uncertain.length > 0);
    expect(row.sources.includes('COMMON')).toBe(row.uncertain.length > 0);
  }
});

test('releases whose package serves nobody that is known are told to be uncertain in that', () => {
  const silent = cudaReleases.filter(({ uncertain }) => uncertain.some((fact) => fact.startsWith('forward')));
  for (const { forwardBranches, version } of silent) {
    expect(forwardBranches).toEqual([]);
    const [major, minor] = version.split('.').map(Number);
    const isInSpan = major === 11 && (minor ?? 0) >= 2;
    expect([version, names.has(version) || isInSpan]).toEqual([version, true]);
  }
});
