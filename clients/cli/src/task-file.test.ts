import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTaskFile } from './task-file.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rhizome-task-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Reads a file with these lines. */
function read(...lines: readonly string[]): ReturnType<typeof readTaskFile> {
  const head = ['experiment: a', 'name: n', 'command: c'];
  writeFileSync(join(folder, 'task.yaml'), [...head, ...lines].join('\n'));
  return readTaskFile('task.yaml', folder);
}

describe('readTaskFile', () => {
  it('reads the rules of scouts, and an amount that stays as it is', () => {
    const scouts = 'scouts: { count: 3, memory: { percentile: 50 }, disk: null }';
    expect(read('count: 9', scouts).scouts).toEqual({ count: 3, memory: { percentile: 50 }, disk: null });
  });

  it('reads the dataset that the jobs process, and those of their outputs', () => {
    const task = read(
      'dataset: { id: dataset_1, by: EVENTS, perJob: 100 }',
      "outputs: ['x-{{index}}']",
      "outputDatasets: { 'x-{{index}}': dataset_2 }",
    );
    expect(task.jobs).toEqual({ dataset: { datasetId: 'dataset_1', by: 'EVENTS', perJob: 100 } });
    expect(task.template.payload.outputDatasets).toEqual([{ output: 'x-{{index}}', datasetId: 'dataset_2' }]);
  });

  it('refuses a dataset together with a number of jobs', () => {
    expect(() => read('count: 9', 'dataset: { id: dataset_1 }')).toThrow(
      'give one of count, parameters and dataset',
    );
  });
});
