import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { exitCodes } from './exit-codes.js';
import { readStandardInput } from './standard-input.js';

/** A terminal that remembers whether it echoes. */
class Terminal extends PassThrough {
  readonly isTTY = true;
  isEchoing = true;

  setRawMode(isRaw: boolean): this {
    this.isEchoing = !isRaw;
    return this;
  }
}

function start(stdin: PassThrough, signal = new AbortController().signal) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const reading = readStandardInput({ stdin, stdout, stderr, cwd: '/', now: () => 0, signal }, 'Value: ');
  const shown = async () => {
    stdout.end();
    stderr.end();
    return (await text(stdout)) + (await text(stderr));
  };
  return { reading, shown };
}

describe('readStandardInput', () => {
  it('reads a pipe to its end', async () => {
    const stdin = new PassThrough();
    const { reading, shown } = start(stdin);
    stdin.end('one\ntwo');
    expect(await reading).toBe('one\ntwo');
    expect(await shown()).toBe('');
  });

  it('reads a character that arrives in two chunks', async () => {
    const stdin = new PassThrough();
    const { reading } = start(stdin);
    const [before, after] = [Buffer.from([0x70, 0xc3]), Buffer.from([0xa4, 0x73])];
    stdin.write(before);
    await new Promise(setImmediate);
    stdin.end(after);
    expect(await reading).toBe('päs');
  });

  it('refuses a pipe without UTF-8 text', async () => {
    const stdin = new PassThrough();
    const { reading } = start(stdin);
    stdin.end(Buffer.from([0x70, 0xff]));
    await expect(reading).rejects.toMatchObject({
      exitCode: exitCodes.usage,
      message: 'Standard input is no UTF-8 text; encode it in base64',
    });
  });

  it('does not show what is typed at a terminal', async () => {
    const stdin = new Terminal();
    const { reading, shown } = start(stdin);
    expect(stdin.isEchoing).toBe(false);
    stdin.write('value\rsecond\r\u0004');
    expect(await reading).toBe('value\nsecond\n');
    expect(stdin.isEchoing).toBe(true);
    expect(await shown()).toBe('Value: \n');
  });

  it.each<[string, (stdin: Terminal, stop: AbortController) => void]>([
    ['Ctrl-C', (stdin) => void stdin.write('value\u0003')],
    ['the signal of the process', (_stdin, stop) => stop.abort()],
  ])('lets the terminal echo again after %s', async (_name, interrupt) => {
    const stdin = new Terminal();
    const stop = new AbortController();
    const { reading, shown } = start(stdin, stop.signal);
    interrupt(stdin, stop);
    await expect(reading).rejects.toMatchObject({ exitCode: exitCodes.interrupted });
    expect(stdin.isEchoing).toBe(true);
    expect(await shown()).toBe('Value: \n');
  });
});
