import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { OutputCapture, type CaptureLimits } from './output-capture.js';
import { TailBuffer } from './tail-buffer.js';

const at = new Date('2030-01-01T00:00:00Z');

function capture(limits: Partial<CaptureLimits> = {}): {
  out: PassThrough;
  err: PassThrough;
  captured: OutputCapture;
} {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const captured = new OutputCapture(
    { STDOUT: out, STDERR: err },
    { head: 1000, tail: 100, buffer: 10_000, ...limits },
    () => at,
  );
  return { out, err, captured };
}

async function all(captured: OutputCapture): Promise<[stream: string, text: string][]> {
  const found: [string, string][] = [];
  for (;;) {
    const chunks = await captured.nextChunks(1);
    if (chunks.length === 0) return found;
    found.push(...chunks.map(({ stream, text }): [string, string] => [stream, text]));
  }
}

describe('OutputCapture', () => {
  it('does not cut a character that arrives in two parts', async () => {
    const { out, err, captured } = capture();
    const euro = Buffer.from('€');
    out.write(euro.subarray(0, 1));
    const taken = all(captured);
    await new Promise((resolve) => setTimeout(resolve, 250));
    out.end(euro.subarray(1));
    err.end();
    expect(await taken).toEqual([['STDOUT', '€']]);
  });

  it('keeps chunks of invalid bytes below 64 KiB', async () => {
    const { out, err, captured } = capture({ head: 1 << 20, buffer: 1 << 20 });
    out.end(Buffer.alloc(100_000, 0xff));
    err.end();
    const chunks = await all(captured);
    expect(chunks.map(([, text]) => text).join('')).toBe('\uFFFD'.repeat(100_000));
    expect(Math.max(...chunks.map(([, text]) => Buffer.byteLength(text)))).toBeLessThanOrEqual(65_536);
  });

  it('makes one chunk per stream and interval, whatever the number of writes', async () => {
    const { out, err, captured } = capture();
    for (let i = 0; i < 50; i += 1) {
      out.write('o');
      err.write('e');
    }
    out.end();
    err.end();
    expect(await all(captured)).toEqual([
      ['STDOUT', 'o'.repeat(50)],
      ['STDERR', 'e'.repeat(50)],
    ]);
  });

  it('collects output for its interval, and a full chunk no longer', async () => {
    const { out, err, captured } = capture({ head: 1 << 20, buffer: 1 << 20, intervalMs: 60_000 });
    const full = 'x'.repeat(20 * 1024);
    out.write(full);
    out.write('rest');
    expect((await captured.nextChunks(9)).map(({ text }) => text)).toEqual([full]);
    out.end('s');
    err.end();
    expect(await all(captured)).toEqual([['STDOUT', 'rests']]);
  });

  it('keeps output between head and tail whole if nothing is missing', async () => {
    const { out, err, captured } = capture({ head: 10, tail: 10 });
    out.end('0123456789abcdefghi€'.slice(0, 18));
    err.end();
    expect((await all(captured)).map(([, text]) => text).join('')).toBe('0123456789abcdefgh');
  });
});

describe('TailBuffer', () => {
  it('keeps the last bytes, however they arrive', () => {
    const tail = new TailBuffer(1000);
    for (let i = 0; i < 50_000; i += 1) tail.push(Buffer.from(`${i}\n`));
    const text = Array.from({ length: 50_000 }, (_, i) => `${i}\n`).join('');
    expect(tail.bytes().toString()).toBe(text.slice(-1000));
    expect(tail.dropped).toBe(text.length - 1000);
  });

  it('starts with a complete character', () => {
    const tail = new TailBuffer(4);
    tail.push(Buffer.from('€€'));
    expect(tail.bytes().toString()).toBe('€');
  });
});
