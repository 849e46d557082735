import { describe, expect, it } from '@jest/globals';
import { DomainError, badInput, isDomainError } from './domain-error.js';
import { defineErrors, type AnyErrorCode, type lookUp } from './registry.js';
import { catalogue } from './catalogue.js';

describe('DomainError', () => {
  it('takes HTTP status and retry advice from the catalogue', () => {
    const error = new DomainError('LEADER_UNAVAILABLE', 'no leader');
    expect([error.http, error.retry, error.code]).toEqual([503, 'later', 'LEADER_UNAVAILABLE']);
  });

  it('rejects an undefined code', () => {
    expect(() => new DomainError('NO_SUCH_CODE' as AnyErrorCode, 'text')).toThrow(/NO_SUCH_CODE/);
    expect(() => new DomainError('toString' as AnyErrorCode, 'text')).toThrow(TypeError);
  });

  it('recognises instances of another copy of the package, and nothing else', async () => {
    const copy = (await import(`${new URL('./domain-error.js', import.meta.url).href}?copy`)) as {
      DomainError: typeof DomainError;
    };
    expect(copy.DomainError).not.toBe(DomainError);
    expect(isDomainError(new copy.DomainError('CONFLICT', 'text'))).toBe(true);
    expect(isDomainError(Object.assign(new Error('text'), { code: 'CONFLICT' }))).toBe(false);
    expect(isDomainError(undefined)).toBe(false);
  });

  it('names field, value and expectation with badInput, long values cut', () => {
    const error = badInput('jobs.0.name', 'x'.repeat(5000), 'at most 100 characters');
    expect(error.message).toMatch(/^jobs\.0\.name: "xxx.*… .*must be at most 100 characters$/);
    expect(error.message.length).toBeLessThan(320);
  });

  it('keeps the cause', () => {
    const cause = new Error('socket');
    expect(new DomainError('SERVICE_UNAVAILABLE', 'store', {}, { cause }).cause).toBe(cause);
  });
});

describe('defineErrors', () => {
  const entry = {
    http: 404,
    retry: 'never',
    message: 'no run {value}',
    description: 'No such run.',
  } as const;

  it('adds codes under the prefix, for every copy of the package', async () => {
    const codes = defineErrors('DELTA', { RUN_UNKNOWN: entry });
    expect(new DomainError(codes.DELTA_RUN_UNKNOWN, 'no run 7').http).toBe(404);
    const copy = (await import(`${new URL('./registry.js', import.meta.url).href}?copy`)) as {
      lookUp: typeof lookUp;
    };
    expect(copy.lookUp('DELTA_RUN_UNKNOWN')).toEqual(entry);
  });

  it('accepts repetition and rejects another meaning, a malformed code and a code of the catalogue', () => {
    defineErrors('GAMMA', { RUN_UNKNOWN: entry });
    expect(() => defineErrors('GAMMA', { RUN_UNKNOWN: entry })).not.toThrow();
    expect(() => defineErrors('GAMMA', { RUN_UNKNOWN: { ...entry, http: 400 } })).toThrow(/another meaning/);
    expect(() => defineErrors('gamma', { X: entry })).toThrow(/SCREAMING_SNAKE_CASE/);
    expect(() => defineErrors('JOB', { NOT_FOUND: entry })).toThrow(/catalogue already/);
  });
});

describe('catalogue', () => {
  it.each(Object.entries(catalogue))('describes %s in the right form', (code, entry) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(entry.description).toMatch(/^[A-Z].{10,}\.$/);
    expect(entry.http).toBeGreaterThanOrEqual(200);
    expect(entry.http).toBeLessThan(600);
    expect(['never', 'later', 'now']).toContain(entry.retry);
  });
});
