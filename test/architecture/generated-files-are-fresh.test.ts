import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { root } from './repository.js';

describe('npm run generate', () => {
  it('changes nothing on a fresh checkout', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [`${root}/tools/generate.mjs`, '--check'],
      { cwd: root, encoding: 'utf8', timeout: 180_000 },
    );
    expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' });
  });
});
