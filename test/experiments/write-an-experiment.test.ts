import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import * as library from '@rhizome/experiment';

const root = join(fileURLToPath(import.meta.url), '..', '..', '..', '..');
const page = readFileSync(join(root, 'docs/how-to/write-an-experiment.md'), 'utf8');

describe('the page on writing an experiment', () => {
  it('names files that are there', () => {
    const named = [...page.matchAll(/`((?:src|experiments|test|lib|schema)\/[\w./-]+)`/g)].map(
      ([, path]) => path ?? '',
    );
    expect(named.length).toBeGreaterThan(15);
    const missing = named.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'experiments/larkspur', path)),
    );
    expect(missing).toEqual([]);
  });

  it('names functions that are there', () => {
    for (const name of [
      'createSubmissions',
      'ExperimentInputErrors',
      'workerLabel',
      'jobDetails',
      'submissionEntity',
    ]) {
      expect(page).toContain(name);
      expect(library).toHaveProperty(name);
    }
  });
});
