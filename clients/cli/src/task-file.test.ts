import { expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTaskFile } from './task-file.js';

it('reads the rules of scouts, and an amount that stays as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rhizome-task-file-'));
  try {
    const scouts = 'scouts: { count: 3, memory: { percentile: 50 }, disk: null }';
    writeFileSync(
      join(folder, 'task.yaml'),
      ['experiment: a', 'name: n', 'count: 9', 'command: c', scouts].join('\n'),
    );
    expect(readTaskFile('task.yaml', folder).scouts).toEqual({
      count: 3,
      memory: { percentile: 50 },
      disk: null,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
