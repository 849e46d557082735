import { describe, expect, it } from '@jest/globals';
import { assertLoggedInAgain } from './web-login.js';

const began = new Date('2030-01-01T12:00:00Z');
const at = (seconds: number): number => began.getTime() / 1000 + seconds;

describe('assertLoggedInAgain', () => {
  it.each([
    ['a login after the beginning', { auth_time: at(20) }],
    ['a login by a clock that is a minute behind', { auth_time: at(-59) }],
    ['an ID token that does not say when somebody logged in', {}],
    ['an answer without ID token', undefined],
  ])('accepts %s', (_what, claims) => {
    expect(() => assertLoggedInAgain(claims, began)).not.toThrow();
  });

  it.each([
    ['a text', '2030-01-01'],
    ['a text with a number', String(at(20))],
    ['a time in milliseconds', at(20) * 1000],
    ['a time far in the future', at(3600)],
  ])('refuses %s as the time of the login', (_what, time) => {
    expect(() => assertLoggedInAgain({ auth_time: time }, began)).toThrow(/^auth_time: .* is not valid/);
  });

  it('refuses a login that the issuer remembered', () => {
    expect(() => assertLoggedInAgain({ auth_time: at(-3600) }, began)).toThrow(
      /remembered a login of 2030-01-01T11:00:00.000Z and did not ask/,
    );
  });
});
