import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tryFile } from './convert.js';
import { type FileFlags, readAnyFile } from './foreign-file.js';

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

  it('counts the labels that nodes name', async () => {
    writeFileSync(
      join(cwd, 'file.yaml'),
      'experiment: demo\nname: night\nnodes: [{ name: a }, { name: b, label: x }, { name: c, label: x }]\n',
    );
    const output = { json: true, stream: new PassThrough(), errors: new PassThrough() };
    await tryFile('file.yaml', {}, { cwd, output });
    expect(JSON.parse(String(output.stream.read()))).toMatchObject({ nodes: 3, labels: 1 });
  });

  it('shows the syntax error of a file that may be of another system', async () => {
    writeFileSync(join(cwd, 'a.cwl'), 'cwlVersion: v1.2\nclass: [Workflow\n');
    const output = { json: false, stream: new PassThrough(), errors: new PassThrough() };
    const failure = async (flags: FileFlags): Promise<string> =>
      readAnyFile('a.cwl', flags, { cwd, output }).then(
        () => 'read',
        (error: unknown) => (error as Error).message,
      );
    expect(await failure({ experiment: 'demo' })).toMatch(
      /^a\.cwl cannot be imported:\n\s+not YAML: .*\(a\.cwl:3:1\)$/,
    );
    expect(await failure({})).toMatch(/^a\.cwl is not YAML: /);
  });
});
