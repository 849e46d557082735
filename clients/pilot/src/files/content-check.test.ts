import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { type Checksum, ContentCheck } from './content-check.js';

const content = Buffer.alloc(3_000_000, 'larkspur');
const of = (algorithm: string): string => createHash(algorithm).update(content).digest('hex');

function problemWith(checksums: readonly Checksum[], sizeBytes: number | null = content.length) {
  const check = new ContentCheck({ sizeBytes, checksums });
  for (let at = 0; at < content.length; at += 70_001) check.update(content.subarray(at, at + 70_001));
  return check.problem();
}

describe('ContentCheck', () => {
  it('accepts content with the size and all digests that are expected', () => {
    const checksums = [
      { kind: 'SHA256', value: of('sha256') },
      { kind: 'MD5', value: of('md5') },
    ] as const;
    expect(problemWith(checksums)).toBeUndefined();
    expect(problemWith([], null)).toBeUndefined();
  });

  it.each([
    ['', '00000001'],
    ['Wikipedia', '11e60398'],
    ['a'.repeat(100_000), '79660b4d'],
    ['\xff'.repeat(6000), 'a49759ea'],
  ])('computes the Adler-32 of %#', (text, value) => {
    const check = new ContentCheck({ checksums: [{ kind: 'ADLER32', value }] });
    check.update(Buffer.from(text, 'latin1'));
    expect(check.problem()).toBeUndefined();
  });

  it.each<[Checksum['kind'], string]>([
    ['SHA256', 'SHA-256'],
    ['MD5', 'MD5'],
    ['ADLER32', 'Adler-32'],
  ])('names the %s that differs', (kind, shown) => {
    expect(problemWith([{ kind, value: 'ab' }])).toMatch(
      new RegExp(`^has the ${shown} [0-9a-f]+ instead of ab$`),
    );
  });

  it('names a size that differs', () => {
    expect(problemWith([], 7)).toBe('has 3000000 bytes instead of 7');
  });
});
