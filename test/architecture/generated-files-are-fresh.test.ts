import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { root } from './repository.js';

describe('generated files are what would be generated now', () => {
  test.each([
    ['the supergraph', ['schema/dist/bin.js', '--check']],
    ['types and documents', ['tools/generate.mjs', '--check']],
  ])(
    '%s',
    (_what, args) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, {
        cwd: root,
        encoding: 'utf8',
        timeout: 180_000,
      });
      expect({ status, complaints: status === 0 ? '' : stdout + stderr }).toEqual({
        status: 0,
        complaints: '',
      });
    },
    200_000,
  );
});
