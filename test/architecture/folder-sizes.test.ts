import { dirname } from 'node:path';
import { expect, it } from '@jest/globals';
import { repositoryFiles } from './repository.js';

/** Most production files of one folder: about twenty names can be read at a glance. */
const most = 22;

it('has no folder with more than about 20 production files', () => {
  const sizes = new Map<string, number>();
  for (const path of repositoryFiles()) {
    if (!/\/src\/.*\.tsx?$/.test(path) || /\.(test|e2e|soak|fixture|generated)\.tsx?$/.test(path)) continue;
    const folder = dirname(path);
    sizes.set(folder, (sizes.get(folder) ?? 0) + 1);
  }
  expect(sizes.size).toBeGreaterThan(100);
  expect([...sizes].filter(([, size]) => size > most)).toEqual([]);
});
