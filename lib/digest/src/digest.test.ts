import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { canonicalJson, digestInTurns, digestOf, isDigestOf, keyedDigestInTurns } from './digest.js';

const job = {
  name: 'j',
  cores: 2,
  gpu: null,
  labels: [{ key: 'a', value: 'b' }],
  limits: { max: 1, min: 0 },
};

describe('canonicalJson', () => {
  it('sorts members at every depth', () => {
    expect(canonicalJson({ b: { d: 1, c: [{ f: 1, e: 2 }] }, a: 'x' })).toBe(
      '{"a":"x","b":{"c":[{"e":2,"f":1}],"d":1}}',
    );
  });

  it('drops null and absent members, and keeps null in lists', () => {
    expect(canonicalJson({ a: null, b: undefined, c: [null, 1], d: {} })).toBe('{"c":[null,1],"d":{}}');
  });

  it('writes members whose names objects inherit', () => {
    const value: unknown = JSON.parse('{"__proto__":{"b":1,"a":2},"constructor":3}');
    expect(canonicalJson(value)).toBe('{"__proto__":{"a":2,"b":1},"constructor":3}');
  });

  it('keeps the order of lists', () => {
    expect(canonicalJson([2, 1])).toBe('[2,1]');
  });

  it('writes dates as JSON does, and plain values as they are', () => {
    expect(canonicalJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
    expect([null, undefined, 1, 'ü', true].map(canonicalJson)).toEqual(['null', 'null', '1', '"ü"', 'true']);
  });

  it('treats a member named __proto__ as any other', () => {
    const parsed = JSON.parse('{"__proto__":{"x":1},"a":1}') as unknown;
    expect(canonicalJson(parsed)).toBe('{"__proto__":{"x":1},"a":1}');
  });
});

describe('digestOf', () => {
  it('is the same for values that differ in the order of members, or in null and absent ones', () => {
    const same = { limits: { min: 0, max: 1 }, labels: [{ value: 'b', key: 'a' }], cores: 2, name: 'j' };
    expect(digestOf(same)).toBe(digestOf(job));
    expect(digestOf({ ...job, queue: undefined })).toBe(digestOf(job));
  });

  it('differs for other values, another order of a list, and another type', () => {
    const others = [
      { ...job, cores: 3 },
      { ...job, cores: '2' },
      { ...job, labels: [] },
      [job],
      { ...job, gpu: false },
    ];
    expect(new Set([job, ...others, [1, 2], [2, 1]].map(digestOf)).size).toBe(8);
  });

  it('stays the stored digest', () => {
    expect(digestOf(job)).toBe('hVVxfJWgZ4mnNOZKDWH9tLmxbH9zeCFMRp1o1uB4nIM');
  });
});

describe('digestInTurns', () => {
  it.each<[string, unknown]>([
    ['a text', 'text'],
    ['nothing', null],
    ['an empty object and list', [{}, [], { a: {} }]],
    ['members that are null or absent', { b: null, a: undefined, c: [null, undefined, 1] }],
    ['a date', { at: new Date(0), list: [new Date(1)] }],
    ['an order of members', { z: 1, a: { y: [1, { b: 2, a: 3 }], x: 2 } }],
    ['a long list', Array.from({ length: 1000 }, (_, at) => ({ at, text: 't'.repeat(at), no: null }))],
    ['deep nesting', { a: { b: { c: { d: { e: { f: [1, [2, [3]]] } } } } } }],
    ['a job', job],
    ['an owner and jobs', ['owner', Array.from({ length: 100 }, () => job)]],
  ])('is the digest of %s', async (_what, value) => {
    expect(await digestInTurns(value)).toBe(digestOf(value));
  });

  it('lets others run while it digests a large value', async () => {
    const value = Array.from({ length: 2000 }, () => ({ text: 't'.repeat(1000) }));
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const digest = await digestInTurns(value);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(1);
    expect(digest).toBe(digestOf(value));
  });
});

describe('isDigestOf', () => {
  const plain = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('base64url');

  it('accepts the digest, and the digest of the plain text that earlier versions stored', () => {
    expect(isDigestOf(digestOf(job), job)).toBe(true);
    expect(isDigestOf(plain(job), job)).toBe(true);
    expect(plain(job)).not.toBe(digestOf(job));
  });

  it('rejects the digest of another value', () => {
    expect(isDigestOf(digestOf(job), { ...job, cores: 3 })).toBe(false);
    expect(isDigestOf(plain(job), { ...job, cores: 3 })).toBe(false);
  });
});

describe('keyedDigestInTurns', () => {
  const key = Buffer.from('0123456789abcdef');
  const ofText = (value: unknown): string =>
    createHmac('sha256', key).update(JSON.stringify(value)).digest('base64url');

  it.each([
    ['an object', { b: 1, a: [null, undefined, 'ü'], c: undefined, d: null, e: { at: new Date(0) } }],
    ['an empty object', {}],
    ['a long list of lists', { input: { jobs: Array.from({ length: 100 }, (_, at) => [at, undefined]) } }],
    ['a text', 'a'],
  ])('is the HMAC of the JSON text of %s', async (_, value) => {
    expect(await keyedDigestInTurns(value, key)).toBe(ofText(value));
  });

  it('lets the event loop continue while it digests a large value', async () => {
    const value = {
      jobs: Array.from({ length: 40_000 }, (_, at) => ({ name: `job ${at}`, text: 'x'.repeat(50) })),
    };
    let turns = 0;
    const count = setInterval(() => (turns += 1));
    const digest = await keyedDigestInTurns(value, key);
    clearInterval(count);
    expect(digest).toBe(ofText(value));
    expect(turns).toBeGreaterThan(1);
  });
});
