import { createReadStream } from 'node:fs';

/**
 * Lines of a UTF-8 file, without their line feeds. Only a line feed ends a line: `readline` also splits at
 * U+2028 and U+2029, which JSON does not escape in strings.
 */
export async function* fileLines(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const text of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
