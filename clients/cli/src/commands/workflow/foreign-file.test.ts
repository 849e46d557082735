import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

describe('a workflow file', () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'workflow-file-'));
  });
  afterEach(() => rmSync(cwd, { recursive: true }));

  it.each([
    ['our own', { experiment: 'demo', name: 'night', nodes: [{ name: 'a', label: 'isr' }] }, ''],
    [
      'a graph of BPS',
      {
        directed: true,
        graph: { name: 'night' },
        nodes: [{ id: 'a', name: 'a', executable: { src_uri: 'run' } }],
      },
      '-e demo',
    ],
  ])('reads a pipe, which can be read once: %s', async (_what, content, flags) => {
    writeFileSync(join(cwd, 'file'), JSON.stringify(content));
    const program = fileURLToPath(new URL('../../bin.js', import.meta.url));
    const line = `cat file | "$0" "$1" workflow submit /dev/stdin --dry-run ${flags}`;
    const { stdout } = await promisify(execFile)('sh', ['-c', line, process.execPath, program], { cwd });
    expect(stdout).toBe(
      'dry run  night: 1 nodes with 1 labels, 0 edges and 0 edges between labels, in 1 call\n',
    );
  });
});
