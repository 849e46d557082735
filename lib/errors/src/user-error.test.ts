import { describe, expect, it } from '@jest/globals';
import { DomainError, badInput } from './domain-error.js';
import { userError } from './user-error.js';

describe('userError', () => {
  it('converts the dotted field to a path below the given one', () => {
    expect(userError(badInput('requirements.cores', 0, 'at least 1'), ['jobs', 3])).toEqual({
      message: 'requirements.cores: 0 is not valid; must be at least 1',
      path: ['jobs', '3', 'requirements', 'cores'],
      code: 'BAD_USER_INPUT',
    });
    expect(userError(badInput('jobs[2].name', '', 'a name')).path).toEqual(['jobs', '2', 'name']);
    expect(userError(new DomainError('FORBIDDEN', 'no')).path).toEqual([]);
  });

  it.each([
    ['a bug', new TypeError('x')],
    ['a missing identity', new DomainError('TOKEN_EXPIRED', 'x')],
    ['a service that is away', new DomainError('LEADER_UNAVAILABLE', 'x')],
  ])('leaves %s to the top-level errors', (_what, error) => {
    expect(() => userError(error)).toThrow(error);
  });
});
