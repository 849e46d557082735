import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { keepFollowing } from './keep-following.js';

const expired = (): DomainError => new DomainError('CURSOR_EXPIRED', 'The cursor is too old');

describe('keepFollowing', () => {
  it('follows again after an error, and removes the position only if the stream no longer has it', async () => {
    const abort = new AbortController();
    const results = [new Error('no answer'), expired(), undefined];
    const steps: string[] = [];
    await keepFollowing(
      {
        follow: async () => {
          steps.push('follow');
          const result = results.shift();
          if (result) throw result;
          abort.abort();
        },
        forget: async () => void steps.push('forget'),
        onError: (error) => void steps.push((error as Error).message),
        retryMs: 0,
      },
      abort.signal,
    );
    expect(steps).toEqual([
      ...['follow', 'no answer'],
      ...['follow', 'forget', 'The cursor is too old'],
      'follow',
    ]);
  });

  it('goes on if the store does not answer while the position is removed', async () => {
    const abort = new AbortController();
    let position: string | null = 'old';
    const removals = [new Error('no answer'), undefined];
    const reported: string[] = [];
    await keepFollowing(
      {
        follow: async () => {
          if (position !== null) throw expired();
          abort.abort();
        },
        forget: async () => {
          const failure = removals.shift();
          if (failure) throw failure;
          position = null;
        },
        onError: (error) => void reported.push((error as Error).message),
        retryMs: 0,
      },
      abort.signal,
    );
    expect(reported).toEqual(['no answer', 'The cursor is too old']);
  });

  it('reports no error after the end', async () => {
    const abort = new AbortController();
    const reported: unknown[] = [];
    await keepFollowing(
      {
        follow: async () => {
          abort.abort();
          throw new Error('interrupted');
        },
        forget: async () => undefined,
        onError: (error) => void reported.push(error),
      },
      abort.signal,
    );
    expect(reported).toEqual([]);
  });
});
