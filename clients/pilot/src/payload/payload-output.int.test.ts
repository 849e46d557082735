import { describe, expect, it } from '@jest/globals';
import { payloadSetup, readAll, textOf } from '../testing/payload-setup.js';
import type { OutputCapture } from './output-capture.js';

const setup = payloadSetup();
const { start } = setup;

/** Takes chunks until the text matches, and returns the text so far. */
async function readUntil(capture: OutputCapture, wanted: RegExp): Promise<string> {
  let text = '';
  while (!wanted.test(text)) {
    const chunks = await capture.nextChunks(1);
    if (chunks.length === 0)
      throw new Error(`the output ended with ${JSON.stringify(text)}, without ${wanted}`);
    text += chunks.map((chunk) => chunk.text).join('');
  }
  return text;
}

describe('output of a payload', () => {
  it('arrives while the payload runs', async () => {
    const { payload, capture } = await start('echo first; exec sleep 30');
    expect(await readUntil(capture, /first\n/)).toBe('first\n');
    payload.terminate();
    await payload.result;
    await readAll(capture);
  });

  it('is complete at any size, with chunks in sequence and within bounds', async () => {
    const { payload, capture } = await start(
      'i=0; while [ $i -lt 20000 ]; do echo "line $i äöü€"; i=$((i+1)); done',
    );
    const chunks = await readAll(capture);
    await payload.result;
    expect(textOf(chunks, 'STDOUT')).toBe(
      Array.from({ length: 20_000 }, (_, i) => `line ${i} äöü€\n`).join(''),
    );
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
    expect(Math.max(...chunks.map(({ text }) => Buffer.byteLength(text)))).toBeLessThanOrEqual(64 * 1024);
  });

  it('makes the payload wait while nobody takes it, and then arrives whole', async () => {
    const limits = { head: 1 << 30, tail: 0, buffer: 1 << 17 };
    const { payload, capture } = await start(
      'head -c 3000000 /dev/zero | tr "\\0" x; echo; date +%s%N',
      {},
      limits,
    );
    const first = await capture.nextChunks(1);
    // The buffer and the pipe are full: the payload cannot have written everything. Its own clock at the end
    // proves that it waited.
    const resumedAt = await new Promise<number>((resolve) => setTimeout(() => resolve(Date.now()), 500));
    const text = textOf([...first, ...(await readAll(capture))], 'STDOUT');
    const [filler = '', nanoseconds = '0'] = text.split('\n');
    expect(filler).toBe('x'.repeat(3_000_000));
    expect(Number(nanoseconds) / 1e6).toBeGreaterThanOrEqual(resumedAt);
    expect(await payload.result).toMatchObject({ exitCode: 0 });
  });

  it('keeps its head and its tail beyond the limit, and shows how much is missing', async () => {
    const limits = { head: 1000, tail: 500, buffer: 1 << 17 };
    const { payload, capture } = await start(
      'echo begin; head -c 100000 /dev/zero | tr "\\0" x; echo; echo end',
      {},
      limits,
    );
    const text = textOf(await readAll(capture), 'STDOUT');
    await payload.result;
    const total = 6 + 100_000 + 1 + 4;
    expect(text.startsWith('begin\nxxx')).toBe(true);
    expect(text).toContain(
      `\n[rhizome: ${total - 1500} bytes of STDOUT left out here; the log keeps the first 1000 bytes and the last 500]\n`,
    );
    expect(text.endsWith('xxx\nend\n')).toBe(true);
    expect(text.match(/x/g)?.length).toBeLessThan(1600);
  });

  it('does not make the payload wait once it is discarded', async () => {
    const { payload, capture } = await start(
      'head -c 30000000 /dev/zero',
      {},
      { head: 1 << 30, tail: 0, buffer: 1 << 16 },
    );
    capture.discard();
    expect(await payload.result).toMatchObject({ exitCode: 0 });
    expect(await readAll(capture)).toEqual([]);
  });
});
