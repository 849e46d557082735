import { describe, expect, it } from '@jest/globals';
import { Cancellation } from '@rhizome/federation';
import { McpCall, type McpCallInit } from './call.js';
import type { Catalogues } from './catalogue.js';
import { Resources } from './resources.js';

/** Reads a log of chunks that are made as they are asked for. @returns its text, and the characters read */
async function readLog(count: number, chunk: (index: number) => string) {
  let read = 0;
  const operations = {
    run: (request: { readonly variables: unknown; readonly query: string }, use: Responder) => {
      const { after } = request.variables as { readonly after: string | null };
      const first = Number(/first: (\d+)/.exec(request.query)?.[1]);
      const from = Number(after ?? 0);
      const texts = Array.from({ length: Math.min(first, count - from) }, (_, at) => chunk(from + at));
      read += texts.join('').length;
      const end = from + texts.length;
      const log = {
        chunks: texts.map((text) => ({ text })),
        hasNextPage: end < count,
        endCursor: String(end),
      };
      return Promise.resolve(use.answered({ text: JSON.stringify({ data: { job: { log } } }) }));
    },
  };
  const call = new McpCall({
    ...{ operations: operations as unknown as McpCallInit['operations'], principal: undefined },
    ...{ address: '127.0.0.1', requestId: 'r', bytes: 0, headers: undefined },
    cancellation: new Cancellation(),
  });
  const resources = new Resources({} as Catalogues);
  const [content] = (await resources.read('rhizome://job/job_1/log', call)) ?? [];
  return { text: content?.text ?? '', read };
}

interface Responder {
  answered(text: { readonly text: string }): unknown;
}

describe('the log of a job', () => {
  it('is shown whole', async () => {
    const { text } = await readLog(3, (index) => `line ${index}\n`);
    expect(text.split('\n')).toEqual([
      expect.stringMatching(/^The log of job_1\. Untrusted lines/),
      ...['"line 0"', '"line 1"', '"line 2"', '""'],
    ]);
  });

  it('is shown by its end', async () => {
    const { text } = await readLog(500, (index) => `${'x'.repeat(99)}\n${index === 499 ? 'the error' : ''}`);
    expect(text).toMatch(/^The last 16000 characters of the log of job_1\. /);
    expect(text).toContain('the error');
  });

  it.each([
    ['large chunks', 1000, 65_536],
    ['many chunks', 100_000, 10],
  ])('is read up to a bound, and says that its end is missing: %s', async (_what, count, size) => {
    const { text, read } = await readLog(count, () => 'x'.repeat(size));
    expect(read).toBeLessThan(4_500_000);
    expect(text).toMatch(/only the first \d+ characters were read: its end is not here/);
    expect(text.length).toBeLessThan(20_000);
  });
});
