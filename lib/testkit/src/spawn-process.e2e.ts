import { describe, expect, it } from '@jest/globals';
import { watchFile } from './file-teardown.js';
import { leftovers } from './leftovers.js';
import { spawnProcess } from './spawn-process.js';

// Tests of this package use a build of their own, which the set-up of each file does not know.
watchFile();

const script = (text: string) => ({ name: 'child', command: 'node', args: ['-e', text] });

describe('spawnProcess', () => {
  it('gives past and future lines of both outputs', async () => {
    const child = spawnProcess(
      script(
        `console.log('port=41'); process.stdin.once('data', () => { console.error('late'); process.exit(3); })`,
      ),
    );
    expect((await child.line(/port=(\d+)/, 5000))[1]).toBe('41');
    expect((await child.line(/port=(\d+)/, 5000))[1]).toBe('41');
    child.write('go\n');
    await child.line(/late/, 5000);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(child.stdout).toEqual(['port=41']);
    expect(child.stderr).toEqual(['late']);
  });

  it('reports the output of a process that ended without the expected line', async () => {
    const child = spawnProcess(script(`console.log('sorry'); process.exit(1)`));
    await expect(child.line(/ready/, 5000)).rejects.toThrow(/ended without a line like \/ready\/:\nsorry/);
  });

  it('reports a process that cannot be started', async () => {
    const child = spawnProcess({ name: 'nothing', command: '/nonexistent/program' });
    await expect(child.exited).rejects.toThrow(/nothing could not be started/);
  });

  it('ends a process by signal, and kills it at the end of the file', async () => {
    const polite = spawnProcess(script(`setInterval(() => {}, 1000)`));
    expect(await polite.kill()).toEqual({ code: null, signal: 'SIGTERM' });
    const stubborn = spawnProcess(
      script(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')`),
    );
    await stubborn.line(/up/, 5000);
    await leftovers.disposeAll();
    expect(await stubborn.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
